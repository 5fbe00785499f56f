"""A disk that is full for a while stops nothing, harms nothing that is there, and loses nothing."""

import contextlib
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from hpc_dl.run import journal
from hpc_dl.run.journal import Journal
from hpc_dl.run.layout import RunDir
from hpc_dl.train import checkpoint
from tests.support import ranks
from tests.support.own_models import own_models
from tests.support.running import events, final_state, history, new_run
from tests.support.waiting import wait_until


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 4 MiB."""
    folder = tmp_path / "disk"
    folder.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=4m", "tmpfs", str(folder)]
    if subprocess.run(mount, check=False, capture_output=True).returncode:
        pytest.skip("only root may mount a file system")
    yield folder
    subprocess.run(["umount", "--lazy", str(folder)], check=True)


def fill(disk: Path) -> Path:
    """Leave no room; the file to remove."""
    filler = disk / "filler"
    with filler.open("wb", buffering=0) as file, contextlib.suppress(OSError):
        while True:
            file.write(b"x" * 4096)
    return filler


def test_events_wait_in_memory_until_there_is_room(
    disk: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = disk / "journal.jsonl"
    log = Journal(path)
    log.append("metrics", step=0, note="x" * 4000)
    filler = fill(disk)
    for step in range(1, 50):
        log.append("metrics", step=step, note="x" * 100)
    assert capsys.readouterr().err.count("No space left") == 1, "said, and said once"
    assert log.size() > path.stat().st_size
    filler.unlink()
    log.append("metrics", step=50)
    assert [event["step"] for event in journal.view(path)] == list(range(51))
    assert log.size() == path.stat().st_size


def test_training_continues_with_a_full_disk_and_ends_the_same(disk: Path, tmp_path: Path) -> None:
    run = job(disk, tmp_path)
    with ranks.ended(ranks.start(run)) as (process,):
        ranks.wait_for_step(run, 20)
        filler = fill(disk)
        wait_until(lambda: "could not be written: " in log_of(run), 60, message="not a word")
        assert process.is_alive()
        assert checkpoint.newest_intact(run.checkpoints, pytest.fail)
        filler.unlink()
        process.join(60)
        assert process.exitcode == 0
    undisturbed = ranks.train(job(tmp_path / "calm", tmp_path / "calm"))
    assert final_state(run) == final_state(undisturbed)
    assert history(run) == history(undisturbed)
    assert any("could not be written" in event["message"] for event in events(run, "warning"))


@pytest.mark.nightly
def test_an_export_that_cannot_be_written_fails_the_run_and_can_be_resumed(
    disk: Path, tmp_path: Path
) -> None:
    run = job(disk, tmp_path)
    with ranks.ended(ranks.start(run)) as (process,):
        ranks.wait_for_step(run, 20)
        filler = fill(disk)
        process.join(60)
        assert process.exitcode == 1
    assert "trained, but the model could not be written: No space left on device" in log_of(run)
    filler.unlink()
    ranks.train(run)
    assert (run.export / "weights.safetensors").is_file()


def job(root: Path, elsewhere: Path) -> RunDir:
    """A run whose log is on another disk."""
    code = own_models(elsewhere / "code")
    every = {"every": "3 steps"}
    run = new_run(root, code, model={"name": "own.py:Slow"}, train={"epochs": 5}, checkpoint=every)
    run.logs.rmdir()
    run.logs.symlink_to(elsewhere / "logs")
    (elsewhere / "logs").mkdir()
    return run


def log_of(run: RunDir) -> str:
    return "".join(path.read_text() for path in run.logs.glob("*.log"))
