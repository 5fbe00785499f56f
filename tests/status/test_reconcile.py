"""A query changes no byte of a run folder; `hpcdl reconcile` writes what the files miss."""

import io
import json
import os
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from rich.console import Console

from hpc_dl.cli import live, main
from hpc_dl.planning.plan import Plan
from hpc_dl.run import journal, layout, lease, records
from hpc_dl.run.journal import Journal
from hpc_dl.run.layout import RunDir
from hpc_dl.run.monitor import RunMonitor
from hpc_dl.run.process_identity import Process
from hpc_dl.run.submission import Submission
from hpc_dl.status import read_status, read_statuses, reconcile
from tests.support.running import new_run

HERE = os.uname().nodename


@pytest.fixture
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A folder of runs whose files all miss something, and which nobody may write to."""
    folder = tmp_path / "runs"
    monkeypatch.setenv("HPCDL_RUN_ROOT", str(folder))
    monkeypatch.setenv("HPCDL_SITE", "generic")
    for make in (killed, killed_while_cancelled, out_of_time, without_id, renewed):
        make(new_run(folder, name=make.__name__.replace("_", "-")))
    give_a_squeue(tmp_path / "bin", RunDir(folder / "without-id-1"), monkeypatch)
    forbid_writing(folder, forbidden=True)
    yield folder
    forbid_writing(folder, forbidden=False)


def killed(run: RunDir) -> None:
    log = Journal(run.journal)
    log.append("started", attempt="999999.0", step=0, cut=0, environment={"host": HERE})
    log.append("progress", epoch=1, epochs=2, step=12, steps=24, seconds_left=3.0)
    log.append("state", state="running", reason="1 rank")
    log.close()
    Submission("local", "999999", HERE, time.time(), 999999).save(run)
    (run.logs / "999999-0.log").write_text("printed\n")


def killed_while_cancelled(run: RunDir) -> None:
    killed(run)
    run.cancel.touch()


def out_of_time(run: RunDir) -> None:
    killed(run)
    Submission("slurm", "999998", HERE, time.time()).save(run)
    log = run.logs / "999998-batch.log"
    log.write_text("slurmstepd: error: *** JOB 999998 ON n1 CANCELLED AT x DUE TO TIME LIMIT\n")


def without_id(run: RunDir) -> None:
    """A job whose submission Slurm has not answered."""
    Submission.intend(run, "slurm")


def renewed(run: RunDir) -> None:
    """A job that its scheduler does not know, and that holds its lease."""
    killed(run)
    gone, there = Submission.load(run), Process("another machine", 1, 1.0)
    assert gone is not None
    lease._make(run, 1, lease.Holder(gone, 0, there, "n3", time.time()))


def give_a_squeue(folder: Path, run: RunDir, monkeypatch: pytest.MonkeyPatch) -> None:
    """Put a Slurm on the PATH that has one job, with the mark of the run's submission."""
    submission = Submission.load(run)
    assert submission is not None
    folder.mkdir()
    job = f"17|PENDING|Resources||main|0:0|{submission.user}|job.sh|{submission.mark}"
    answers = {
        "squeue": f"case \"$*\" in *--user=*|*--jobs=*17*) echo '{job}';; esac",
        "sacct": "echo accounting is disabled >&2; exit 1",
        "scontrol": "echo 'Invalid job id specified' >&2; exit 1",
    }
    for name, answer in answers.items():
        (folder / name).write_text(f"#!/bin/sh\n{answer}\n")
        (folder / name).chmod(0o755)
    monkeypatch.setenv("PATH", f"{folder}:{os.environ['PATH']}")


def forbid_writing(root: Path, *, forbidden: bool) -> None:
    for path in [root, *root.rglob("*")]:
        if not path.is_symlink():
            mode = 0o555 if path.is_dir() else 0o444
            path.chmod(mode if forbidden else mode | 0o200)


def content(root: Path) -> dict[Path, tuple[int, bytes]]:
    """The time and the bytes of every file, and the time of every folder."""
    return {
        path: (path.stat().st_mtime_ns, b"" if path.is_dir() else path.read_bytes())
        for path in [root, *root.rglob("*")]
    }


QUERIES = {
    "status": ["status"],
    "status of all as JSON": ["status", "--all", "--json"],
    "status of a killed run": ["status", "killed"],
    "status of a job without an id": ["status", "without-id"],
    "status by job id": ["status", "999998"],
    "logs": ["logs", "killed"],
    "followed logs": ["logs", "killed-while-cancelled", "-f"],
    "names of log files": ["logs", "latest", "--json"],
}


@pytest.mark.parametrize("words", QUERIES.values(), ids=QUERIES)
def test_a_query_writes_nothing(root: Path, words: list[str]) -> None:
    before = content(root)
    assert main(words) in (0, 1, 3)
    assert content(root) == before


def test_a_dry_run_writes_nothing(root: Path) -> None:
    before = content(root)
    job = RunDir(root / "killed-1").spec
    assert main(["submit", str(job), "--local", "--dry-run=plan"]) == 0
    assert content(root) == before


def test_a_live_display_writes_nothing(root: Path) -> None:
    run, before = RunDir(root / "killed-1"), content(root)
    monitor = RunMonitor(run, records.load(run.plan, Plan))
    live.follow(monitor, lambda: read_status(run), Console(file=io.StringIO()))
    assert monitor.state == "failed"
    assert content(root) == before


def test_the_state_is_the_same_before_and_after_it_is_reconciled(
    root: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    before = shown(capsys)
    forbid_writing(root, forbidden=False)
    assert main(["reconcile"]) == 0
    lines = sorted(line.partition("  ")[0] for line in capsys.readouterr().out.splitlines())
    assert lines == [
        "killed-1: failed",
        "killed-while-cancelled-1: cancelled",
        "out-of-time-1: timeout",
        "without-id-1: queued",
    ]
    assert shown(capsys) == before
    for name in ("killed-1", "killed-while-cancelled-1", "out-of-time-1"):
        states = journal.last_state(RunDir(root / name).journal)
        assert states == (before[name]["state"], before[name]["reason"])
    submission = Submission.load(RunDir(root / "without-id-1"))
    assert submission is not None
    assert submission.job_id == before["without-id-1"]["job_id"] == "17"
    assert main(["reconcile"]) == 0
    assert capsys.readouterr().out == "Nothing to change in 5 runs.\n"


def shown(capsys: pytest.CaptureFixture[str]) -> dict[str, dict[str, object]]:
    """What `hpcdl status` shows of each run, but for the times."""
    assert main(["status", "--json"]) == 0
    found = {one["id"]: one for one in json.loads(capsys.readouterr().out)}
    times = ("age", "ended")
    return {
        name: {key: value for key, value in one.items() if key not in times}
        for name, one in found.items()
    }


def test_reconciling_names_runs_and_leaves_the_others_alone(
    root: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    forbid_writing(root, forbidden=False)
    others = [content(path) for path in root.iterdir() if path.name != "killed-1"]
    assert main(["reconcile", "killed", "--json"]) == 0
    (changed,) = json.loads(capsys.readouterr().out)
    assert (changed["id"], changed["state"]) == ("killed-1", "failed")
    assert [content(path) for path in root.iterdir() if path.name != "killed-1"] == others


def test_runs_of_another_user_are_not_reconciled(
    root: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(layout, "own_runs", lambda _: [])  # the superuser may write everywhere
    before = content(root)
    assert main(["reconcile"]) == 0
    assert main(["reconcile", "killed"]) == 2
    assert "killed-1 belongs to another user" in capsys.readouterr().err
    assert content(root) == before


def test_a_run_that_ended_long_ago_ended_when_it_last_wrote(root: Path) -> None:
    run = RunDir(root / "killed-1")
    forbid_writing(root, forbidden=False)
    os.utime(run.journal, (1e9, 1e9))
    assert [one.ended for one in read_statuses([run])] == [1e9]


def test_a_job_that_holds_its_lease_is_not_journalled_as_failed(root: Path) -> None:
    run = RunDir(root / "renewed-1")
    forbid_writing(root, forbidden=False)
    (found,) = reconcile([run])
    assert (found.status.state, found.changed) == ("running", False)
    assert "the scheduler does not know the job, yet it trains" in found.status.reason
