"""The state machine, case by case: journalled state and job status become one state."""

import pytest

from hpc_dl.run.journal import Journal
from hpc_dl.run.layout import read_json, write_json
from hpc_dl.scheduler.base import JobStatus
from hpc_dl.scheduler.slurm import batch_log, messages
from hpc_dl.status import reasons
from hpc_dl.status.state import RunState, derive_state
from tests.support.running import new_run

QUEUED = JobStatus("queued", "waiting for a free node (Resources)")
RUNNING = JobStatus("running", where="n1")
LOST = JobStatus("lost")
UNSUBMITTED = JobStatus("unsubmitted")
UNREACHABLE = JobStatus("unknown", "cluster unreachable")
RESUBMIT = "`hpcdl submit` resumes it"

CASES = [
    ("", "", UNSUBMITTED, "planned", "not submitted"),
    ("planned", "", QUEUED, "queued", "waiting for a free node (Resources)"),
    ("planned", "", RUNNING, "running", "starting"),
    ("running", "2 ranks", RUNNING, "running", "2 ranks"),
    ("running", "", QUEUED, "requeued", "waiting for a free node (Resources)"),
    ("requeued", "pre-empted", QUEUED, "requeued", "waiting for a free node (Resources)"),
    ("requeued", "pre-empted", RUNNING, "requeued", "pre-empted"),
    ("stopped", "terminated", RUNNING, "running", "stopping"),
    ("stopped", "terminated", LOST, "stopped", "terminated"),
    ("stopped", "terminated", messages.ending("FAILED", "n1", "1:0"), "stopped", "terminated"),
    ("stopped", "terminated", messages.ending("FAILED", "n1", "143:0"), "stopped", "terminated"),
    ("stopped", "terminated", messages.ending("COMPLETED", "n1"), "stopped", "terminated"),
    (
        "stopped",
        "terminated",
        messages.ending("FAILED", "n1", "137:0"),
        "failed",
        "killed without an error message (signal 9)",
    ),
    ("stopped", "", messages.ending("CANCELLED by 7", "n1"), "cancelled", "cancelled with scancel"),
    ("running", "", messages.ending("TIMEOUT", "n1"), "timeout", f"wall-clock limit; {RESUBMIT}"),
    ("running", "", messages.ending("NODE_FAIL", "n3"), "failed", f"node n3 failed; {RESUBMIT}"),
    ("running", "", messages.ending("NODE_FAIL", "n[3-4]"), "failed", f"a node failed; {RESUBMIT}"),
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
        "killed without an error message (signal 9)",
    ),
    (
        "running",
        "",
        messages.ending("FAILED", "n1", "134:0"),
        "failed",
        "crashed (signal 6); see the end of its log",
    ),
    ("running", "", LOST, "failed", "killed without an error message"),
    ("planned", "", LOST, "failed", "ended before the training began"),
    ("failed", "boom", QUEUED, "requeued", "waiting for a free node (Resources)"),
    ("failed", "boom", RUNNING, "failed", "boom"),
    ("failed", "boom", LOST, "failed", "boom"),
    ("failed", "boom", UNREACHABLE, "failed", "boom"),
    ("running", "", UNREACHABLE, "running", "cluster unreachable; last known: running"),
    ("planned", "", UNREACHABLE, "queued", "cluster unreachable; last known: queued"),
    ("completed", "24 steps", QUEUED, "completed", "24 steps"),
    ("paused", "as planned", LOST, "paused", "as planned"),
    ("timeout", "wall-clock limit", LOST, "timeout", "wall-clock limit"),
]


@pytest.mark.parametrize(("journalled", "why", "job", "state", "reason"), CASES)
def test_the_state_follows_from_the_journal_and_the_job(
    journalled: str, why: str, job: JobStatus, state: str, reason: str
) -> None:
    assert derive_state(journalled, why, job)[:2] == (state, reason)


def test_the_reason_is_the_error_of_the_first_rank_that_failed() -> None:
    error = "RuntimeError: boom on rank 1 (n2)"
    for state, job in (("running", messages.ending("FAILED", "n2", "1:0")), ("stopped", LOST)):
        assert derive_state(state, "", job, error) == RunState("failed", error, is_final=True)
    lost_peer = derive_state("failed", "Connection closed by peer", LOST, error)
    assert lost_peer == RunState("failed", error, is_final=True)


def test_a_cancelled_run_has_not_failed() -> None:
    for state in ("planned", "running", "stopped", "requeued"):
        assert derive_state(state, "", LOST, cancelled=True).state == "cancelled"
    assert derive_state("completed", "", LOST, cancelled=True).state == "completed"


def test_an_end_is_not_final_before_every_source_was_asked() -> None:
    assert not derive_state("running", "", JobStatus("lost", is_certain=False)).is_final
    assert derive_state("running", "", LOST).is_final


@pytest.mark.parametrize(
    ("reason", "shown"),
    [
        ("Priority", "waiting for jobs of a higher priority (Priority)"),
        ("AssocGrpCpuLimit", "a limit of the account is reached (AssocGrpCpuLimit)"),
        ("QOSMaxJobsPerUserLimit", "a limit of the quality of service is reached (QOSMaxJobs"),
        ("SomethingNew", "SomethingNew"),
    ],
)
def test_the_reason_why_a_job_waits_is_explained(reason: str, shown: str) -> None:
    assert messages.waiting(reason).startswith(shown)


def test_the_last_message_of_slurm_in_a_log_counts() -> None:
    log = (
        "slurmstepd-n1: error: *** JOB 1 ON n1 CANCELLED AT 07:00 DUE TO PREEMPTION ***\n"
        "slurmstepd-n1: error: *** JOB 1 ON n1 CANCELLED AT 08:00 DUE TO TIME LIMIT ***\n"
        "srun: got SIGCONT\n"
    )
    assert batch_log.parse(log) == messages.ending("TIMEOUT", "")
    assert batch_log.parse("Epoch 1: oom-kill\n") is None


def test_a_run_out_of_memory_shows_what_to_try(tmp_path):
    run = new_run(tmp_path, train={"micro_batch": 64})
    plan = read_json(run.plan)
    write_json(run.plan, {**plan, "sbatch": {"mem": "8G"}, "tasks_per_node": 2})
    log = Journal(run.journal)
    used = {"system/process_memory_usage_megabytes": 3686.4}
    log.append("system", step=7, values=used)
    log.close()
    assert reasons.out_of_memory(run) == (
        "out of memory: 8G a node asked for, 3.6G in use by each of 2 ranks a node when last "
        "measured; ask for more in resources.mem, or compute fewer examples at once: "
        "train.micro_batch=32"
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
