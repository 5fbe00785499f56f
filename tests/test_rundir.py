"""Run folders: numbered, private, and written whole or not at all."""

import os
import stat
from concurrent.futures import ThreadPoolExecutor

import pytest

from hpc_dl import rundir


def test_runs_of_a_name_are_numbered_and_found_in_order(tmp_path):
    made = [rundir.create(tmp_path, "vae") for _ in range(11)]
    assert [run.id for run in made] == [f"vae-{n}" for n in range(1, 12)]
    assert [run.id for run in rundir.runs(tmp_path, "vae")] == [run.id for run in made]
    assert rundir.next_id(tmp_path, "vae") == "vae-12"


def test_names_that_contain_another_name_are_not_mixed_up(tmp_path):
    rundir.create(tmp_path, "vae-big")
    rundir.create(tmp_path, "vae")
    assert [run.id for run in rundir.runs(tmp_path, "vae")] == ["vae-1"]
    assert rundir.runs(tmp_path, "vae")[0].name == "vae"


def test_submissions_at_the_same_moment_get_folders_of_their_own(tmp_path):
    with ThreadPoolExecutor(16) as pool:
        made = list(pool.map(lambda _: rundir.create(tmp_path, "vae"), range(64)))
    assert len({run.path for run in made}) == 64


def test_a_run_folder_is_readable_by_its_owner_alone(tmp_path):
    run = rundir.create(tmp_path, "vae")
    assert stat.S_IMODE(run.path.stat().st_mode) == 0o700


def test_a_write_that_fails_leaves_the_old_content_and_nothing_else(tmp_path, monkeypatch):
    path = tmp_path / "plan.json"
    rundir.write_atomic(path, "old")

    def full_disk(_descriptor):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full_disk)
    with pytest.raises(OSError, match="No space"):
        rundir.write_atomic(path, "new")
    assert path.read_text() == "old"
    assert [path.name for path in tmp_path.iterdir()] == ["plan.json"]
