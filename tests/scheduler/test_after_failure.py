"""Who is started again after a failure, and who is not; what Slurm does then is another test's."""

import dataclasses

import pytest

from hpc_dl.run import aborts, failure, journal
from hpc_dl.run.journal import Journal
from hpc_dl.run.layout import write_json
from hpc_dl.run.rank_info import RankInfo
from hpc_dl.run.submission import Submission
from hpc_dl.scheduler import after_failure, registry
from tests.support.slurm_runs import new_slurm_run

RANK = RankInfo(0, 2, 0, 2, "7.0", "7", 0, "slurm")
SLURM = registry.get("slurm")
EARLIER = "6.0"
KILLED, TERMINATED, WARNED, ABORTED, FAILED = 137, 143, 140, 134, 1
WATCHDOG = "Process group watchdog thread terminated with exception: "
TIMED_OUT = (
    "[Rank 1] Watchdog caught collective operation timeout: WorkNCCL(SeqNum=5, "
    "OpType=ALLREDUCE) ran for 600000 milliseconds before timing out."
)
PEER_LOST = "NCCL error: remote process exited or there was a network error, NCCL version 2.27"
ASSERTION = "CUDA error: device-side assert triggered"


@pytest.fixture
def run(tmp_path, monkeypatch):
    """A run on a cluster whose scontrol takes note of what it is asked for."""
    asked = tmp_path / "bin" / "scontrol"
    asked.parent.mkdir()
    asked.write_text(f'#!/bin/sh\necho "$@" >>{tmp_path}/asked\n')
    asked.chmod(0o755)
    monkeypatch.setenv("PATH", str(asked.parent), prepend=":")
    return new_slurm_run(tmp_path / "runs")[0]


def requeued(run, code):
    """Whether the job is asked to be started again after its tasks ended so."""
    after_failure.requeue_or_fail(run, RANK, SLURM, code)
    asked = run.root.parent / "asked"
    return asked.exists() and asked.read_text() == "requeue 7\n"


def note(run, state, *, decided=None):
    log = Journal(run.journal)
    log.append("started", attempt=RANK.attempt, step=0, cut=0)
    about = {"attempt": decided} if decided else {}
    log.append("state", state=state, reason="as it is", **about)
    log.close()


@pytest.mark.parametrize(
    "state, code, decided",
    [
        ("running", KILLED, None),
        ("running", TERMINATED, None),
        ("planned", WARNED, None),  # of the time limit, before Python had begun
        ("stopped", FAILED, None),  # by a TERM that Slurm knows nothing of
        ("requeued", KILLED, EARLIER),  # while the next attempt was starting
    ],
)
def test_what_was_ended_from_outside_starts_again(run, state, code, decided):
    note(run, state, decided=decided)
    assert requeued(run, code)
    assert journal.last_state(run.journal)[0] == "requeued"


@pytest.mark.parametrize(
    "state, code, decided",
    [
        ("running", FAILED, None),  # its own exit
        ("failed", KILLED, None),  # of an error, upon which the others were killed
        ("requeued", KILLED, RANK.attempt),  # its worker has asked for it
        ("stopped", KILLED, RANK.attempt),  # as often as it may
        ("completed", KILLED, None),
        ("cancelled", TERMINATED, None),
    ],
)
def test_what_ended_by_itself_does_not(run, state, code, decided):
    note(run, state, decided=decided)
    assert not requeued(run, code)
    assert journal.last_state(run.journal) == (state, "as it is")


def test_a_rank_that_has_lost_another_does_not_hinder_it(run):
    note(run, "running")
    reason = {"t": 0, "reason": f"rank 1 on n2 {failure.GONE}", "peer_gone": True}
    write_json(run.path / "failure-7.0.json", reason)
    assert requeued(run, FAILED)


def test_an_error_of_a_rank_does(run):
    note(run, "running")
    write_json(run.path / "failure-7.0.json", {"t": 0, "reason": "ValueError: no (net.py:3)"})
    assert not requeued(run, KILLED)


@pytest.mark.parametrize(
    "failed, code",
    [
        ({"reason": "data.path: there is no file x.csv", "exit_code": 2}, 2),
        ({"reason": "ValueError: no (net.py:3)"}, FAILED),
        ({"reason": failure.GONE, "peer_gone": True}, KILLED),
        (None, KILLED),
    ],
)
def test_the_job_ends_with_the_code_of_the_rank_that_failed(run, monkeypatch, failed, code):
    """Whatever the others were killed with, as by srun."""
    note(run, "failed")
    if failed:
        write_json(run.path / "failure-7.0.json", failed)
    for name, value in {"PROCID": "0", "NTASKS": "1", "JOB_ID": "7"}.items():
        monkeypatch.setenv(f"SLURM_{name}", value)
    assert after_failure.main(run, KILLED) == code


def abort(run, *causes):
    """Leave the ranks' logs as torch does where its watchdog has thrown."""
    for rank, cause in enumerate(causes):
        thrown = "terminate called after throwing an instance of 'c10::DistBackendError'"
        said = f"[PG ID 0 PG GUID 0(default_pg) Rank {rank}] {WATCHDOG}{cause}"
        log = f"step 7\n[rank{rank}]:[E829 17:28:57] {said}\n{thrown}\n  what():  {said}\n"
        with (run.logs / f"7-{rank}.log").open("a") as file:
            file.write(f"{log}frame #6: c10d::ProcessGroupNCCL::ncclCommWatchdog() + 0x10c\n")


@pytest.mark.parametrize("cause", [TIMED_OUT, PEER_LOST])
def test_where_the_watchdog_has_aborted_for_the_others_it_starts_again(run, cause):
    note(run, "running")
    abort(run, cause)
    assert requeued(run, ABORTED)
    assert journal.last_state(run.journal) == ("requeued", f"aborted: {cause}")


@pytest.mark.parametrize("gone", [False, True])
def test_where_it_has_aborted_for_an_error_of_its_own_it_does_not(run, gone):
    note(run, "running")
    abort(run, TIMED_OUT, ASSERTION, PEER_LOST)
    if gone:  # is all that a rank on the CPU's side has seen
        write_json(run.path / "failure-7.0.json", {"reason": failure.GONE, "peer_gone": True})
    assert not requeued(run, ABORTED)
    assert journal.last_state(run.journal) == ("failed", f"aborted: {ASSERTION}")


def test_an_abort_of_another_kind_is_the_users_to_look_at(run):
    note(run, "running")
    (run.logs / "7-0.log").write_text("free(): invalid pointer\n")
    assert not requeued(run, ABORTED)
    state, reason = journal.last_state(run.journal)
    assert (state, "aborted (signal 6)" in reason) == ("failed", True)


def test_what_an_earlier_attempt_has_aborted_of_does_not_count(run):
    rank_info = dataclasses.replace(RANK, attempt="7.1", restarts=1)
    note(run, "running")
    abort(run, TIMED_OUT)
    with (run.logs / "7-0.log").open("a") as log:
        log.write(f"{aborts.marker(rank_info)}\nfree(): invalid pointer\n")
    after_failure.requeue_or_fail(run, rank_info, SLURM, ABORTED)
    assert journal.last_state(run.journal)[0] == "failed"


@pytest.mark.parametrize("state", ["requeued", "timeout"])
def test_an_abort_after_it_was_decided_changes_nothing(run, state):
    note(run, state, decided=RANK.attempt)
    abort(run, ASSERTION)
    assert not requeued(run, ABORTED)
    assert journal.last_state(run.journal) == (state, "as it is")


def test_out_of_memory_is_not_tried_again(run):
    note(run, "running")
    log = run.logs / "7-batch.log"
    log.write_text("slurmstepd: error: Detected 1 oom_kill event in StepId=7.0.\n")
    assert not requeued(run, KILLED)


def test_a_cancelled_one_stays_so(run):
    note(run, "stopped")
    run.cancel.touch()
    assert not requeued(run, TERMINATED)


@pytest.mark.parametrize(
    "shown, asked, state",
    [
        ("JobState=COMPLETING Restarts=0", 1, "requeued"),  # it was done, and the answer lost
        ("JobState=PENDING Restarts=1", 1, "requeued"),
        ("JobState=RUNNING Restarts=N/A", 2, "requeued"),  # not known: `status` finds out
    ],
)
def test_a_requeue_whose_answer_is_lost_is_no_failure(run, shown, asked, state):
    note(run, "running")
    lost = "echo 'slurm_requeue error: Socket timed out on send/recv operation' >&2; exit 1"
    scontrol = run.root.parent / "bin" / "scontrol"
    scontrol.write_text(
        f"#!/bin/sh\ncase $* in requeue*) echo x >>{run.root}/asked; {lost};; esac\necho {shown}\n"
    )
    after_failure.requeue_or_fail(run, RANK, SLURM, KILLED)
    assert (run.root / "asked").read_text() == asked * "x\n"
    assert journal.last_state(run.journal)[0] == state


def test_a_requeue_that_is_refused_ends_the_run(run):
    note(run, "running")
    scontrol = run.root.parent / "bin" / "scontrol"
    scontrol.write_text(
        "#!/bin/sh\ncase $* in requeue*) echo 'Requested operation is presently disabled' >&2; "
        "exit 1;; esac\necho JobState=RUNNING Restarts=0\n"
    )
    after_failure.requeue_or_fail(run, RANK, SLURM, KILLED)
    state, reason = journal.last_state(run.journal)
    assert state == "failed"
    assert "not requeued: Slurm refuses: Requested operation is presently disabled" in reason


def test_a_job_that_has_not_the_run_any_more_says_nothing(run):
    note(run, "stopped")
    Submission("slurm", "8", "login", 0.0).save(run)
    assert not requeued(run, TERMINATED)
    assert journal.last_state(run.journal) == ("stopped", "as it is")
