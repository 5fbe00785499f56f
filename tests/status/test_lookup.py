"""Which run a user means."""

import os
import re
import time
from pathlib import Path

import pytest

from hpc_dl.errors import UserError
from hpc_dl.run import layout
from hpc_dl.run.layout import RunDir
from hpc_dl.run.submission import Submission
from hpc_dl.status import find_run, find_runs


def some_run(root: Path, name: str, job_id: str, age: float) -> RunDir:
    run = layout.create(root, name)
    run.spec.write_text("")
    os.utime(run.spec, (time.time() - age,) * 2)
    Submission("slurm", job_id, "here", 0.0).save(run)
    return run


@pytest.fixture
def root(tmp_path: Path) -> Path:
    for name, job_id, age in (("vae", "11", 40), ("vae", "12", 30), ("ffnn", "13", 20)):
        some_run(tmp_path, name, job_id, age)
    return tmp_path


@pytest.mark.parametrize(
    ("word", "run_id"),
    [
        ("vae-1", "vae-1"),
        ("vae", "vae-2"),
        ("ffnn", "ffnn-1"),
        ("12", "vae-2"),
        ("latest", "ffnn-1"),
    ],
)
def test_a_run_is_found(root: Path, word: str, run_id: str) -> None:
    assert find_run(root, word).id == run_id


@pytest.mark.parametrize(("word", "guess"), [("vea", "vae"), ("ffnn-2", "ffnn-1"), ("14", "")])
def test_a_misspelt_name_is_refused_with_a_similar_one(root: Path, word: str, guess: str) -> None:
    with pytest.raises(UserError, match=f"there is no run '{word}'") as caught:
        find_run(root, word)
    assert guess in caught.value.hint
    assert caught.value.exit_code == 2


def test_without_runs_the_command_to_start_one_is_printed(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="no runs") as caught:
        find_run(tmp_path / "not-there", "latest")
    assert "hpcdl submit" in caught.value.hint


@pytest.mark.parametrize(
    ("words", "ids"),
    [
        (["v*"], ["vae-1", "vae-2"]),
        (["ffnn", "vae-1"], ["vae-1", "ffnn-1"]),
        (["*-1"], ["vae-1", "ffnn-1"]),
        (["[vf]*", "latest"], ["vae-1", "vae-2", "ffnn-1"]),
        (["?nn?"], []),
        (["vae-3", "*"], []),
    ],
)
def test_several_runs_are_found_by_names_and_patterns(
    root: Path, words: list[str], ids: list[str]
) -> None:
    if ids:
        assert [run.id for run in find_runs(root, words)] == ids
    else:
        with pytest.raises(UserError, match=re.escape(words[0])):
            find_runs(root, words)


def test_a_pattern_is_refused_where_one_run_is_wanted(root: Path) -> None:
    with pytest.raises(UserError, match="one run is wanted"):
        find_run(root, "vae*")
