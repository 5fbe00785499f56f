"""The README's commands for data of one's own, typed as they stand there, and what it shows."""

import re
import shlex
import subprocess
import sys
from pathlib import Path

import pandas
import pytest

from hpc_dl.cli import main
from tests.support import empty_store
from tests.support.typed import use_settings

HERE = Path(__file__).parent.parent.parent


def blocks():
    """The lines of each block of the README's section, in turn: commands, or what they print."""
    own = (HERE / "README.md").read_text().partition("## Your own data")[2]
    return [block.splitlines() for block in re.findall(r"```\n(.*?)```", own, re.DOTALL)]


@pytest.mark.slow
def test_the_readmes_table_has_the_plan_that_is_shown_and_its_rows_are_predicted(
    tmp_path, monkeypatch, capsys
):
    use_settings(monkeypatch, tmp_path)
    monkeypatch.setenv("HPCDL_RUN_ROOT", str(tmp_path / "hpcdl"))
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("COLUMNS", "120")
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    monkeypatch.chdir(tmp_path)
    empty_store.put(tmp_path / "hpcdl")
    Path("jobs").symlink_to(HERE / "jobs")
    first, shown, _, _, last, *_ = blocks()
    make, plan, train, predict = map(shlex.split, (*first, *last))
    subprocess.run([sys.executable, *make[1:]], check=True)
    assert main(plan[1:]) == 0
    printed = [line.rstrip() for line in capsys.readouterr().out.splitlines()]
    assert [line for line in shown if line not in printed and line.strip() != "..."] == []
    assert main(train[1:]) == 0
    capsys.readouterr()
    assert main(predict[1:]) == 0
    found = pandas.read_csv("predictions.csv")
    assert (found["class"] == pandas.read_csv("wine.csv")["target"]).mean() > 0.9
    assert found.columns.tolist() == ["row", "class", "probability"]
