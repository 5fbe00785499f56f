"""Checkpoints are whole or absent, and the newest whole one is found."""

import json

import pytest
import torch

from hpc_dl.jobspec.job import Checkpoint
from hpc_dl.train import checkpoint
from hpc_dl.train.checkpoint_writer import CheckpointWriter
from tests.support.waiting import wait_until


@pytest.fixture
def saved(tmp_path):
    """Three checkpoints, the second of them the best; and what was said of them."""
    said, failures = [], []
    writer = CheckpointWriter(tmp_path / "checkpoints", 2, said.append, failures.append)
    for step in (10, 20, 30):
        writer.save(state(step), step, best=step == 20)
    writer.wait()
    assert failures == []
    assert [(it.step, it.best) for it in said] == [(10, False), (20, True), (30, False)]
    return tmp_path / "checkpoints"


def state(step):
    return {"engine": {"step": step, "networks": {"model": {"w": torch.full((3,), float(step))}}}}


def names(folder):
    return sorted(path.name for path in folder.iterdir())


def test_keep_bounds_the_checkpoints_and_the_best_is_kept_too(saved):
    assert names(saved) == ["best-00000020", "step-00000020", "step-00000030"]
    assert checkpoint.best(saved).name == "best-00000020"


def test_a_better_checkpoint_replaces_the_best(saved):
    writer = CheckpointWriter(saved, 2, lambda _: None, pytest.fail)
    writer.save(state(40), 40, best=True)
    writer.wait()
    assert names(saved) == ["best-00000040", "step-00000030", "step-00000040"]


def test_short_epochs_write_few_checkpoints_among_them_the_best_and_the_last(tmp_path):
    said = []
    writer = CheckpointWriter(tmp_path, 9, said.append, pytest.fail)
    writer.save(state(10), 10, best=False, may_wait=True)
    writer.wait()
    for step in (20, 30, 40, 50):
        writer.save(state(step), step, best=step == 30, may_wait=True)
    writer.save(state(60), 60, best=False)
    writer.wait()
    assert [(it.step, it.best) for it in said] == [(10, False), (30, True), (60, False)]
    assert checkpoint.load(tmp_path / "best-00000030")["engine"]["step"] == 30
    assert checkpoint.load(tmp_path / "step-00000060")["engine"]["step"] == 60


def test_the_newest_of_short_epochs_is_written_in_time(tmp_path, monkeypatch):
    monkeypatch.setattr(Checkpoint, "least_seconds", 1)
    said = []
    writer = CheckpointWriter(tmp_path, 9, said.append, pytest.fail)
    for step in (10, 20, 30):
        writer.save(state(step), step, best=False, may_wait=True)
        wait_until(lambda: len(said) == 1)
    wait_until(lambda: len(said) == 2)
    assert [it.step for it in said] == [10, 30]


def test_a_best_checkpoint_not_yet_marked_at_a_kill_is_marked_later(saved):
    writer = CheckpointWriter(saved, 2, lambda _: None, pytest.fail)
    assert writer.has_best(20)
    assert writer.has_best(30)
    assert names(saved) == ["best-00000030", "step-00000020", "step-00000030"]
    assert not writer.has_best(25)
    (saved / "step-00000020" / "manifest.json").unlink()
    assert not writer.has_best(20)
    assert names(saved) == ["best-00000030", "step-00000020", "step-00000030"]


def test_the_newest_checkpoint_is_loaded_as_it_was_saved(saved):
    path = checkpoint.newest_intact(saved, pytest.fail)
    loaded = checkpoint.load(path)
    assert loaded["engine"]["networks"]["model"]["w"].tolist() == [30.0, 30.0, 30.0]


@pytest.mark.parametrize(
    "harm, said",
    [
        (lambda file: file.write_bytes(file.read_bytes()[:-7]), "bytes instead of"),
        (
            lambda file: file.write_bytes(
                file.read_bytes()[:200]
                + bytes([file.read_bytes()[200] ^ 1])
                + file.read_bytes()[201:]
            ),
            "another checksum",
        ),
        (lambda file: file.unlink(), "FileNotFoundError"),
        (lambda file: (file.parent / "manifest.json").unlink(), "FileNotFoundError"),
        (lambda file: (file.parent / "manifest.json").write_text("{"), "JSONDecodeError"),
        *(
            (lambda file, said=said: (file.parent / "manifest.json").write_text(said), "manifest")
            for said in ("[]", "null", "{}", '{"files": []}', '{"files": {"state.pt": 3}}')
        ),
        (lambda file: (file.parent / "manifest.json").write_text('{"files": {}}'), "state.pt"),
    ],
    ids=[
        *("truncated", "bit flipped", "missing", "no manifest", "torn manifest"),
        *("a list", "null", "an object", "a list of files", "a number", "no files"),
    ],
)
def test_a_damaged_checkpoint_is_reported_and_the_one_before_it_used(saved, harm, said):
    harm(saved / "step-00000030" / "state.pt")
    warnings = []
    assert checkpoint.newest_intact(saved, warnings.append).name.endswith("00000020")
    assert "step-00000030" in warnings[0]
    assert said in warnings[0]


def test_what_is_saved_is_the_state_at_that_moment(tmp_path):
    writer = CheckpointWriter(tmp_path, 1, lambda _: None, pytest.fail)
    live = state(1)
    writer.save(live, 1, best=False)
    live["engine"]["networks"]["model"]["w"].zero_()  # the training goes on
    writer.wait()
    loaded = checkpoint.load(tmp_path / "step-00000001")
    assert loaded["engine"]["networks"]["model"]["w"].tolist() == [1.0, 1.0, 1.0]


def test_a_full_disk_harms_no_checkpoint_and_is_reported(saved, monkeypatch):
    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(torch, "save", full)
    failures = []
    writer = CheckpointWriter(saved, 2, pytest.fail, failures.append)
    writer.save(state(40), 40, best=True)
    writer.wait()
    assert "step 40 could not be written" in failures[0]
    assert "No space left" in failures[0]
    assert names(saved) == ["best-00000020", "step-00000020", "step-00000030"]
    assert all(checkpoint.damage(saved / name) is None for name in names(saved))


def test_leftovers_of_a_killed_writer_are_removed_and_never_loaded(saved):
    half = saved / ".step-00000040.tmp"
    half.mkdir()
    (half / "state.pt").write_bytes(b"half a checkpoint")
    assert checkpoint.newest_intact(saved, pytest.fail).name == "step-00000030"
    CheckpointWriter(saved, 2, pytest.fail, pytest.fail)
    assert not half.exists()


def test_the_manifest_has_the_step(saved):
    assert json.loads((saved / "step-00000030" / "manifest.json").read_text())["step"] == 30
