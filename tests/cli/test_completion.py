"""What shells complete as `hpcdl` is typed, in real ones where they are installed."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from hpc_dl.cli import completion, main
from tests.cli.test_light import HEAVY, modules_of
from tests.support.running import new_run

BASH = """\
eval "$(hpcdl completion bash)"
COMP_LINE=$1 COMP_POINT=${#1}
_hpcdl 2>/dev/null
printf '%s\\n' "${COMPREPLY[@]}"
"""
ZSH = """\
zmodload zsh/zpty
zpty shell zsh -f -i
zpty -w shell 'PS1="" ; autoload -U compinit; compinit -u -D'
zpty -w shell 'eval "$(hpcdl completion zsh)"; echo re""ady'
zpty -r shell text '*ready*'
zpty -n -w shell "$1"$'\\t'
zpty -r shell text "*$2*" && print found
"""
FISH = """\
hpcdl completion fish | source
complete -C 'hpcdl cancel q'
complete -C 'hpcdl submit a.yaml train.precision=b'
"""


@pytest.fixture(scope="module")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of the table, which takes a second to build."""
    return tmp_path_factory.mktemp("cache")


@pytest.fixture(autouse=True)
def folders(tmp_path: Path, cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A cache, sites and runs of the tests' own, and this `hpcdl` first on the PATH."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(cache))
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    monkeypatch.setenv("HPCDL_RUN_ROOT", str(tmp_path / "runs"))
    monkeypatch.setenv("HPCDL_SITE", "generic")
    program = tmp_path / "bin" / "hpcdl"
    program.parent.mkdir()
    program.write_text(f'#!/bin/sh\nexec "{sys.executable}" -m hpc_dl "$@"\n')
    program.chmod(0o755)
    monkeypatch.setenv("PATH", str(program.parent), prepend=os.pathsep)


@pytest.mark.parametrize(
    "line, found",
    [
        ("hpcdl stat", ["status"]),
        ("hpcdl submit a.yaml train.opt", ["train.optimizer."]),
        ("hpcdl submit a.yaml train.optimizer.l", ["train.optimizer.lr="]),
        ("hpcdl submit a.yaml --local train.precision=bf", ["train.precision=bf16"]),
        ("hpcdl submit --local a.yaml model.name=vi", []),
        ("hpcdl submit a.yaml model.name=tra", ["model.name=transformer"]),
        ("hpcdl submit job", []),
        (
            "hpcdl submit a.yaml train.deterministic=",
            ["train.deterministic=" + it for it in ("false", "true")],
        ),
        ("hpcdl submit --dry-run=", ["--dry-run=plan", "--dry-run=script"]),
        ("hpcdl logs --f", ["--follow"]),
        ("hpcdl resume quick-1 tr", ["tracking."]),
        ("hpcdl submit --after q", ["quick-1"]),
        ("hpcdl cancel quick-1 q", ["quick-1"]),
        ("hpcdl logs quick-1 q", []),
        ("hpcdl data fetch dig", ["digits"]),
        ("hpcdl completion f", ["fish"]),
        ("hpcdl submit a.yaml --site ge", ["generic"]),
        ("hpcdl doctor --job resources.par", ["resources.partition="]),
        ("hpcdl no-such-command ", []),
    ],
)
def test_what_a_word_may_become(tmp_path: Path, line: str, found: list[str]) -> None:
    new_run(tmp_path / "runs")
    assert completion.candidates(line.split(" ")[1:]) == found


def test_the_partitions_are_those_of_the_site_as_its_file_is_now(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    site = tmp_path / "mine.yaml"
    monkeypatch.setenv("HPCDL_SITE", str(site))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    for name in ("cpu", "gpu"):
        site.write_text(f"name: mine\npartitions: {{{name}: {{}}}}\n")
        found = completion.candidates(["submit", "a.yaml", "resources.partition="])
        assert found == [f"resources.partition={name}"]


def test_it_answers_without_reading_the_specs_once_they_have_been_read(tmp_path: Path) -> None:
    completion.candidates(["submit", "a.yaml", "train."])
    code, modules = modules_of(tmp_path, "completion", "--of", "hpcdl cancel l")
    assert code == 0
    assert not modules & (HEAVY | {"pydantic", "yaml", "rich"})


@pytest.mark.parametrize(
    "line, found",
    [
        ("hpcdl submit a.yaml train.precision=b", "bf16"),  # bash replaces what is after the =
        ("hpcdl submit a.yaml train.opt", "train.optimizer."),
        ("hpcdl cancel q", "quick-1"),
    ],
)
def test_in_bash(tmp_path: Path, line: str, found: str) -> None:
    new_run(tmp_path / "runs")
    done = subprocess.run(
        ["bash", "-c", BASH, "bash", line], capture_output=True, text=True, check=True
    )
    assert done.stdout.split() == [found]


@pytest.mark.skipif(not shutil.which("fish"), reason="no fish is installed")
def test_in_fish(tmp_path: Path) -> None:
    new_run(tmp_path / "runs")
    folder = tmp_path / "empty"
    folder.mkdir()
    command = ["fish", "-c", FISH]  # which completes the names of files, too
    done = subprocess.run(command, capture_output=True, text=True, check=True, cwd=folder)
    assert done.stdout.split() == ["quick-1", "train.precision=bf16"]


@pytest.mark.skipif(not shutil.which("zsh"), reason="no zsh is installed")
def test_in_zsh(tmp_path: Path) -> None:
    new_run(tmp_path / "runs")
    words = ["hpcdl cancel q", "hpcdl cancel quick-1"]
    done = subprocess.run(
        ["zsh", "-f", "-c", ZSH, "zsh", *words],
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    )
    assert "found" in done.stdout


def test_without_a_shell_it_says_how(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["completion"]) == 2
    assert 'eval "$(hpcdl completion bash)"' in capsys.readouterr().err
