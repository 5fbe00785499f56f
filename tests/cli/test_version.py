"""The version stands in one place."""

import tomllib
from importlib.metadata import version
from pathlib import Path

import pytest

from hpc_dl.cli import main

PROJECT = tomllib.loads((Path(__file__).parents[2] / "pyproject.toml").read_text())


def test_the_version_that_is_printed_is_that_of_the_package(
    capsys: pytest.CaptureFixture[str],
) -> None:
    main(["--version"])
    assert capsys.readouterr().out == f"hpcdl {version('hpcdl')}\n"


def test_the_package_takes_its_version_from_the_module() -> None:
    assert "version" not in PROJECT["project"]
    assert PROJECT["tool"]["setuptools"]["dynamic"]["version"] == {"attr": "hpc_dl.__version__"}
