"""The state machine, case by case: what the journal says, what is seen, what a user is told."""

import pytest

from hpc_dl.run.journal import Journal
from hpc_dl.run.layout import read_json, write_json
from hpc_dl.scheduler.base import JobStatus
from hpc_dl.scheduler.slurm import messages
from hpc_dl.status import memory
from hpc_dl.status.state import Verdict, combine
from tests.support.running import new_run

QUEUED = JobStatus("queued", "waiting for a free node (Resources)")
RUNNING = JobStatus("running", where="n1")
GONE = JobStatus("gone")
NOWHERE = JobStatus("nowhere")
UNREACHABLE = JobStatus("unknown", "cluster unreachable")
GO_ON = "`hpcdl submit` again goes on"

CASES = [
    ("", "", NOWHERE, "planned", "not submitted"),
    ("planned", "", QUEUED, "queued", "waiting for a free node (Resources)"),
    ("planned", "", RUNNING, "running", "starting"),
    ("running", "2 ranks", RUNNING, "running", "2 ranks"),
    ("running", "", QUEUED, "requeued", "waiting for a free node (Resources)"),
    ("requeued", "pre-empted", QUEUED, "requeued", "waiting for a free node (Resources)"),
    ("requeued", "pre-empted", RUNNING, "requeued", "pre-empted"),
    ("stopped", "terminated", RUNNING, "running", "stopping"),
    ("stopped", "terminated", GONE, "stopped", "terminated"),
    ("stopped", "terminated", messages.ending("FAILED", "n1", "1:0"), "stopped", "terminated"),
    ("stopped", "terminated", messages.ending("FAILED", "n1", "143:0"), "stopped", "terminated"),
    ("stopped", "terminated", messages.ending("COMPLETED", "n1"), "stopped", "terminated"),
    (
        "stopped",
        "terminated",
        messages.ending("FAILED", "n1", "137:0"),
        "failed",
        "killed without a word (signal 9)",
    ),
    ("stopped", "", messages.ending("CANCELLED by 7", "n1"), "cancelled", "cancelled with scancel"),
    ("running", "", messages.ending("TIMEOUT", "n1"), "timeout", f"wall-clock limit; {GO_ON}"),
    ("running", "", messages.ending("NODE_FAIL", "n3"), "failed", f"node n3 failed; {GO_ON}"),
    ("running", "", messages.ending("NODE_FAIL", "n[3-4]"), "failed", f"a node failed; {GO_ON}"),
    (
        "running",
        "",
        messages.ending("OUT_OF_MEMORY", "n1"),
        "failed",
        "out of memory: ask for more in resources.mem",
    ),
    (
        "running",
        "",
        messages.ending("FAILED", "n1", "0:9"),
        "failed",
        "killed without a word (signal 9)",
    ),
    (
        "running",
        "",
        messages.ending("FAILED", "n1", "134:0"),
        "failed",
        "crashed (signal 6); see the end of its log",
    ),
    ("running", "", GONE, "failed", "killed without a word"),
    ("planned", "", GONE, "failed", "ended before the training began"),
    ("failed", "boom", QUEUED, "requeued", "waiting for a free node (Resources)"),
    ("failed", "boom", RUNNING, "failed", "boom"),
    ("failed", "boom", GONE, "failed", "boom"),
    ("failed", "boom", UNREACHABLE, "failed", "boom"),
    ("running", "", UNREACHABLE, "running", "cluster unreachable; last known: running"),
    ("planned", "", UNREACHABLE, "queued", "cluster unreachable; last known: queued"),
    ("completed", "24 steps", QUEUED, "completed", "24 steps"),
    ("timeout", "wall-clock limit", GONE, "timeout", "wall-clock limit"),
]


@pytest.mark.parametrize(("journalled", "why", "seen", "state", "reason"), CASES)
def test_what_is_journalled_and_seen_amounts_to(
    journalled: str, why: str, seen: JobStatus, state: str, reason: str
) -> None:
    assert combine(journalled, why, seen)[:2] == (state, reason)


def test_the_first_rank_to_fail_has_the_word() -> None:
    died_of = "RuntimeError: boom on rank 1 (n2)"
    for state, seen in (("running", messages.ending("FAILED", "n2", "1:0")), ("stopped", GONE)):
        assert combine(state, "", seen, died_of) == Verdict("failed", died_of, settled=True)
    lost_peer = combine("failed", "Connection closed by peer", GONE, died_of)
    assert lost_peer == Verdict("failed", died_of, settled=True)


def test_what_the_user_cancelled_has_not_failed() -> None:
    for state in ("planned", "running", "stopped", "requeued"):
        assert combine(state, "", GONE, cancelled=True).state == "cancelled"
    assert combine("completed", "", GONE, cancelled=True).state == "completed"


def test_how_a_job_ended_is_not_settled_before_everybody_was_asked() -> None:
    assert not combine("running", "", JobStatus("gone", certain=False)).settled
    assert combine("running", "", GONE).settled


@pytest.mark.parametrize(
    ("reason", "told"),
    [
        ("Priority", "waiting for jobs of a higher priority (Priority)"),
        ("AssocGrpCpuLimit", "a limit of the account is reached (AssocGrpCpuLimit)"),
        ("QOSMaxJobsPerUserLimit", "a limit of the quality of service is reached (QOSMaxJobs"),
        ("SomethingNew", "SomethingNew"),
    ],
)
def test_why_a_job_waits(reason: str, told: str) -> None:
    assert messages.waiting(reason).startswith(told)


def test_the_last_word_of_slurm_in_a_log_counts() -> None:
    log = (
        "slurmstepd-n1: error: *** JOB 1 ON n1 CANCELLED AT 07:00 DUE TO PREEMPTION ***\n"
        "slurmstepd-n1: error: *** JOB 1 ON n1 CANCELLED AT 08:00 DUE TO TIME LIMIT ***\n"
        "srun: got SIGCONT\n"
    )
    assert messages.from_log(log) == messages.ending("TIMEOUT", "")
    assert messages.from_log("Epoch 1: oom-kill\n") is None


def test_a_run_that_slurm_killed_for_its_memory_says_what_to_try(tmp_path):
    run = new_run(tmp_path, train={"micro_batch": 64})
    plan = read_json(run.plan)
    write_json(run.plan, {**plan, "sbatch": {"mem": "8G"}, "tasks_per_node": 2})
    log = Journal(run.journal)
    used = {"system/process_memory_usage_megabytes": 3686.4}
    log.append("system", step=7, values=used)
    log.close()
    assert memory.exhausted(run) == (
        "out of memory: 8G a node asked for, 3.6G in use by each of 2 ranks a node when last seen; "
        "ask for more in resources.mem, or compute fewer examples at once: train.micro_batch=32"
    )


@pytest.mark.parametrize(
    ("text", "status"),
    [
        ("0:0", (0, 0)),
        ("1:0", (1, 0)),
        ("0:9", (0, 9)),
        ("256", (1, 0)),  # squeue of Slurm 22.05
        ("9", (0, 9)),
        (" 0 ", (0, 0)),
        ("", (None, 0)),
        ("N/A", (None, 0)),
        ("1:0:0", (None, 0)),
    ],
)
def test_an_exit_code_is_read_however_it_is_written(text: str, status: object) -> None:
    assert messages.exit_status(text) == status
    assert messages.ending("FAILED", "n1", text).state == "failed"
