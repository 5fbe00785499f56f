"""How local runs are seen and stopped: real processes, really killed."""

import os
import signal
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from hpc_dl.errors import UserError
from hpc_dl.run import journal, lease
from hpc_dl.run.journal import Journal
from hpc_dl.run.layout import RunDir
from hpc_dl.run.process_identity import Process
from hpc_dl.run.submission import Submission
from hpc_dl.status import Status, cancel_run, read_status, reconcile
from tests.support.own_models import line_of, own_models
from tests.support.running import new_run, start, train
from tests.support.waiting import wait_until

LONG = {"epochs": 100_000, "log_every": 100}


def own_run(tmp_path: Path, model: str, **sections: Any) -> RunDir:
    base = own_models(tmp_path / "base")
    return new_run(tmp_path / "runs", base, model={"name": f"own.py:{model}"}, **sections)


def wait_for(run: RunDir, state: str, reason: str = "") -> Status:
    def seen() -> Status | None:
        now = read_status(run)
        if now.state != state and now.state in journal.ENDED:
            pytest.fail(f"{now.state}: {now.reason}")
        return now if now.state == state and now.reason.startswith(reason) else None

    return wait_until(seen, timeout=120, message=f"{run.id} to be {state}")


def wait_until_training(run: RunDir) -> Status:
    return wait_for(run, "running", "1 rank")


def kill_9(run: RunDir) -> None:
    submission = Submission.load(run)
    assert submission is not None
    assert submission.group is not None
    os.killpg(submission.group, signal.SIGKILL)


def test_an_unknown_job_that_renews_its_lease_is_running(tmp_path: Path) -> None:
    run = new_run(tmp_path)
    Journal(run.journal).append("state", state="running", reason="1 rank")
    gone = Submission("local", "999999", os.uname().nodename, time.time(), 999999)
    gone.save(run)
    elsewhere = Process("another boot/pid:[1]", 1, 1.0)
    lease._make(run, 1, lease.Holder(gone, 0, elsewhere, "n3", time.time()))
    assert read_status(run).state == "running"
    assert journal.last_state(run.journal)[0] == "running"
    os.utime(run.path / "lease-1.json", (0, 0))
    assert read_status(run).state == "failed"


def test_another_machine_of_the_same_name_is_told_apart(tmp_path: Path) -> None:
    run = new_run(tmp_path)
    Journal(run.journal).append("state", state="running", reason="1 rank")
    there = Submission(
        "local", "9", os.uname().nodename, time.time(), 9, machine="another boot/pid:[1]"
    )
    there.save(run)
    lease._make(run, 1, lease.Holder(there, 0, Process(there.machine, 9, 1.0), "n", time.time()))
    assert read_status(run).state == "running"
    with pytest.raises(UserError, match="ask there"):
        cancel_run(run)
    os.utime(run.path / "lease-1.json", (0, 0))  # it was this one, before it was restarted
    assert (read_status(run).state, read_status(run).reason) == (
        "failed",
        f"{os.uname().nodename} was restarted",
    )


def test_a_run_is_shown_from_planned_to_completed(tmp_path: Path) -> None:
    run = new_run(tmp_path)
    assert read_status(run).state == "planned"
    start(run)
    assert read_status(run).state == "running"
    done = wait_for(run, "completed")
    assert (done.epoch, done.epochs, done.step, done.steps) == (2, 2, 24, 24)
    assert done.metric == "val/accuracy"
    assert 0 < float(done.value or 0) <= 1
    assert done.where == os.uname().nodename
    assert done.created is not None
    assert done.started is not None
    assert done.ended is not None
    assert done.created <= done.started <= done.ended


@pytest.mark.nightly
def test_an_exception_in_the_users_model_is_shown_with_its_place(tmp_path: Path) -> None:
    run = own_run(tmp_path, "Failing")
    start(run)
    status = wait_for(run, "failed")
    assert status.reason == f"RuntimeError: the loss exploded (own.py:{line_of('exploded')})"


@pytest.mark.nightly
def test_an_exception_on_another_rank_is_shown_as_such(tmp_path: Path) -> None:
    run = own_run(tmp_path, "FailingOnRank1", resources={"tasks_per_node": 2}, train=LONG)
    start(run)
    wait_for(run, "failed", "RuntimeError: the loss exploded (own.py:")
    reconcile([run])  # whatever rank 0 has journalled, and however it ended
    assert journal.last_state(run.journal)[0] == "failed"
    assert "on rank 1" in read_status(run).reason


def test_an_error_before_the_training_is_shown(tmp_path: Path) -> None:
    run = new_run(tmp_path)
    run.spec.write_text("name: [1]\n")
    start(run)
    assert "spec.yaml is damaged: " in wait_for(run, "failed").reason


def test_a_run_killed_with_kill_9_is_shown_as_killed(tmp_path: Path) -> None:
    run = own_run(tmp_path, "Slow", train=LONG)
    start(run)
    wait_until_training(run)
    kill_9(run)
    wait_for(run, "failed", "killed without an error message")
    reconcile([run])
    assert journal.last_state(run.journal) == ("failed", "killed without an error message")


def test_many_who_reconcile_at_once_journal_the_end_once(tmp_path: Path) -> None:
    run = new_run(tmp_path)
    journal.Journal(run.journal).append("state", state="running", reason="1 rank")
    Submission("local", "1", os.uname().nodename, 0.0, 1).save(run)
    with ThreadPoolExecutor(8) as pool:
        found = list(pool.map(lambda _: reconcile([run])[0], range(32)))
    assert [one.status.state for one in found] == ["failed"] * 32
    assert [one.changed for one in found].count(True) == 1
    states = [e.event["state"] for e in journal.read(run.journal) if e.event["event"] == "state"]
    assert states == ["planned", "running", "failed"]


@pytest.mark.nightly
def test_a_cancelled_run_has_saved_and_is_resumed_when_submitted_again(tmp_path: Path) -> None:
    run = own_run(tmp_path, "Slow", train={"epochs": 20, "log_every": 100})
    start(run)
    wait_until_training(run)
    cancelled = cancel_run(run)
    assert cancelled.state == "cancelled"
    assert cancelled.reason.startswith("cancelled by the user; saved at step ")
    assert list(run.checkpoints.glob("step-*"))
    train(run)
    started = [e.event for e in journal.read(run.journal) if e.event["event"] == "started"]
    assert started[0]["step"] == 0
    assert started[1]["step"] > 0


def test_a_run_whose_submission_is_damaged_is_found_and_cancelled(tmp_path: Path) -> None:
    run = own_run(tmp_path, "Slow", train=LONG)
    submission = start(run)
    wait_until_training(run)
    run.submission.write_bytes(b"")
    status = read_status(run)
    assert (status.state, status.job_id, status.active) == ("running", submission.job_id, True)
    assert f"{run.submission} is damaged: it is empty" in status.reason
    assert cancel_run(run).state == "cancelled"


def test_a_run_that_is_still_starting_can_be_cancelled(tmp_path: Path) -> None:
    run = own_run(tmp_path, "Slow", train=LONG)
    start(run)
    assert cancel_run(run).state == "cancelled"


def test_a_run_that_was_never_submitted_can_be_cancelled(tmp_path: Path) -> None:
    run = new_run(tmp_path)
    assert cancel_run(run).state == "cancelled"


def test_cancelling_what_has_ended_changes_nothing(tmp_path: Path) -> None:
    run = new_run(tmp_path)
    journal.Journal(run.journal).append("state", state="completed", reason="")
    Submission("local", "1", os.uname().nodename, 0.0, 1).save(run)
    before = run.journal.read_bytes()
    assert cancel_run(run).state == "completed"
    assert run.journal.read_bytes() == before
    assert not run.cancel.exists()


def test_a_recycled_process_group_is_not_taken_for_the_run(tmp_path: Path) -> None:
    run = new_run(tmp_path)
    Submission("local", str(os.getpid()), os.uname().nodename, 0.0, os.getpgrp()).save(run)
    assert read_status(run).state == "failed"


def test_the_state_of_a_run_on_another_machine_stays_as_last_known(tmp_path: Path) -> None:
    run = new_run(tmp_path)
    journal.Journal(run.journal).append("state", state="running", reason="")
    Submission("local", "1", "elsewhere", 0.0, 1).save(run)
    status = read_status(run)
    assert status.state == "running"
    assert "runs on elsewhere" in status.reason
    assert not status.reachable
