"""How Slurm's answers are read: those of three releases, as they were printed, and odd ones."""

import pytest

from hpc_dl.run.submission import Submission
from hpc_dl.scheduler.slurm import client, job_records, messages
from hpc_dl.scheduler.slurm.client import Answer, JobId, SlurmError
from hpc_dl.scheduler.slurm.job_records import FINAL, Record

MARK = "hpcdl:quick-1:0b88de694c6140c6"
OURS = Submission("slurm", "8", "login", 0.0, mark=MARK, user="ann")


def answering(monkeypatch: pytest.MonkeyPatch, output: str, errors: str = "") -> None:
    """Slurm's commands print this, and succeed."""
    monkeypatch.setattr(client, "ask", lambda *_, **__: Answer(output, errors))
    monkeypatch.setattr(client, "call", lambda *_, **__: output)


# ---- states


@pytest.mark.parametrize(
    ("state", "phase"),
    [
        *((state, "ended") for state in sorted(FINAL)),
        ("FAILED,LAUNCH_FAILED", "ended"),
        ("NODE_FAIL,RECONFIG_FAIL", "ended"),
        *((state, "queued") for state in ("PENDING", "REQUEUED", "REQUEUE_HOLD", "REQUEUE_FED")),
        *((state, "queued") for state in ("RESV_DEL_HOLD", "SPECIAL_EXIT", "PENDING,REQUEUED")),
        ("FAILED,REQUEUED", "queued"),
        ("NODE_FAIL,REQUEUE_HOLD", "queued"),
        *((state, "running") for state in ("RUNNING", "SUSPENDED", "STOPPED", "SIGNALING")),
        *((state, "running") for state in ("CONFIGURING", "STAGE_OUT", "POWER_UP_NODE")),
        ("RUNNING,EXPEDITING", "running"),
        ("COMPLETING", "completing"),
        ("FAILED,COMPLETING", "completing"),
        ("REVOKED", "revoked"),
        *(
            (state, "unknown")
            for state in ("TELEPORTING", "FAILED,TELEPORTING", "?", "LAUNCH_FAILED")
        ),
    ],
)
def test_only_what_slurm_documents_as_final_ends_a_job(state: str, phase: str) -> None:
    assert Record("8", state).phase == phase


@pytest.mark.parametrize("nodes", ["", "n1"])
def test_a_state_that_nobody_has_heard_of_is_shown_under_its_own_name(nodes: str) -> None:
    seen = messages.status(Record("8", "TELEPORTING", nodes=nodes, partition="main"))
    assert seen.phase == ("running" if nodes else "queued")
    assert seen.reason == "Slurm says TELEPORTING"


@pytest.mark.parametrize("reason", ["DependencyNeverSatisfied", "Dependency"])
def test_a_job_whose_dependency_failed_is_not_called_cancelled_by_its_user(reason: str) -> None:
    seen = messages.status(Record("8", "CANCELLED", reason))
    assert (seen.phase, seen.state) == ("ended", "cancelled")
    assert "has failed" in seen.reason
    assert "scancel" not in seen.reason


@pytest.mark.parametrize("state", ["RESV_DEL_HOLD", "REQUEUE_HOLD", "SPECIAL_EXIT"])
def test_a_held_job_is_queued_and_it_is_said_what_to_do(state: str) -> None:
    seen = messages.status(Record("8", state))
    assert seen.phase == "queued"
    assert "`scontrol release 8`" in seen.reason
    assert f"({state})" in seen.reason


# ---- squeue, sacct and scontrol

SQUEUE = {
    "22.05": "1|FAILED|NonZeroExitCode|n1|main|768|root|(null)|(null)|\n"
    "9|PENDING|BeginTime||main|0|root|(null)|(null)|\n"
    "6_3|RUNNING|None|n1|main|0|root|(null)|(null)|\n"
    f"8|RUNNING|None|n1|main|0|ann|/r/quick-1/job.sh {MARK}|{MARK}|\n",
    "26.05": "1|FAILED|NonZeroExitCode|n1|main|3:0|root|(null)|(null)|\n"
    "9|PENDING|BeginTime||main|0:0|root|(null)|(null)|\n"
    "6_3|RUNNING|None|n1|main|0:0|root|(null)|(null)|\n"
    f"8|RUNNING|None|n1|main|0:0|ann|/r/quick-1/job.sh {MARK}|{MARK}|\n",
}


def test_a_job_whose_reservation_has_ended_is_held(monkeypatch: pytest.MonkeyPatch) -> None:
    answering(monkeypatch, "48|RESV_DEL_HOLD|Reservation rr was deleted||fragile|0|root|(null)||\n")
    (record,) = job_records.queued(["48"])
    assert messages.status(record).phase == "queued"


@pytest.mark.parametrize("release", SQUEUE)
def test_squeue_is_read(release: str, monkeypatch: pytest.MonkeyPatch) -> None:
    answering(monkeypatch, SQUEUE[release])
    failed, waits, task, ours = job_records.queued(["1", "9", "6", "8"])
    assert messages.status(failed).reason == "ended with exit code 3 without an error message"
    assert (waits.state, waits.reason, waits.nodes) == ("PENDING", "BeginTime", "")
    assert task.has_number("6_3")
    assert [record.belongs_to(OURS) for record in (failed, waits, task, ours)] == [False] * 3 + [
        True
    ]


def test_lines_between_that_are_no_jobs_are_passed_over(monkeypatch: pytest.MonkeyPatch) -> None:
    answering(monkeypatch, f"CLUSTER: c2\nMaintenance on Monday | be warned\n{SQUEUE['22.05']}")
    assert len(job_records.queued(["8"])) == 4


@pytest.mark.parametrize("output", ["", "||\n||\n"])
def test_a_search_that_squeue_cannot_answer_has_not_found_nothing(
    output: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    answering(monkeypatch, output, "squeue: error: Invalid job format specification: x")
    with pytest.raises(SlurmError, match="cannot be read"):
        job_records.queued(user="ann")


SACCT = (
    "8|REQUEUED|None|0:0|1795613640|n1|ann||sbatch --parsable job.sh {mark}\n"
    "8|CANCELLED by 1000|Priority|0:15|1795613700|None assigned|ann||"
    "sbatch --parsable job.sh {mark}\n"
    "8|TIMEOUT|None|0:0|Unknown|n2|bob||sbatch other.sh | tee\n"
)


def test_sacct_is_read_by_slurms_own_clock(monkeypatch: pytest.MonkeyPatch) -> None:
    answering(monkeypatch, SACCT.format(mark=MARK))
    ours = [record for record in job_records.accounted(["--jobs=8"]) if record.belongs_to(OURS)]
    assert [record.state for record in ours] == ["REQUEUED", "CANCELLED"]
    assert messages.status(ours[-1]).state == "cancelled"
    assert ours[-1].nodes == ""


def test_scontrol_is_read(monkeypatch: pytest.MonkeyPatch) -> None:
    said = (
        "JobId=8 JobName=quick UserId=ann(1000) JobState=PENDING Reason=JobHeldAdmin Restarts=1 "
        f"ExitCode=0:0 NodeList= PreemptTime=None Command=/r/job.sh {MARK} Comment={MARK}"
    )
    answering(monkeypatch, f"{said}\n")
    record = job_records.shown("8")
    assert record is not None
    assert record.belongs_to(OURS)
    assert (record.phase, record.nodes, record.user) == ("queued", "", "ann")
    assert "PreemptTime" not in job_records.fields(said)
    answering(monkeypatch, "nothing that can be read\n")
    with pytest.raises(SlurmError, match="cannot be read"):
        job_records.shown("8")


# ---- whose job it is


@pytest.mark.parametrize(
    ("record", "ours"),
    [
        (Record("8", "RUNNING", user="ann", text=MARK), True),
        (Record("9", "RUNNING", user="ann", text=MARK), True),  # its number was never known
        (Record("8", "RUNNING", user="ann", text="a plug-in has taken the comment"), True),
        (Record("8+0", "RUNNING", user="ann"), True),
        (Record("8", "RUNNING"), True),
        (Record("8", "RUNNING", user="ann", text="hpcdl:quick-1:another"), False),
        (Record("8", "RUNNING", user="bob", text=""), False),
        (Record("81", "RUNNING", user="ann"), False),
        (Record("8_1", "RUNNING", user="ann"), False),
    ],
)
def test_a_job_is_known_by_its_mark_and_else_by_number_and_user(record: Record, ours: bool) -> None:
    assert record.belongs_to(OURS) == ours


@pytest.mark.parametrize(
    ("ours", "shown", "same"),
    [
        ("12_3", "12_3", True),
        ("12_4", "12_[3-5%2]", True),
        ("12_7", "12_[1,3-5,7]", True),
        ("12_6", "12_[1,3-5,7]", False),
        ("12_3", "12", False),
        ("12", "12_3", False),
        ("12_3", "112_[3-5]", False),
    ],
)
def test_a_task_of_an_array_is_in_the_line_of_the_waiting_ones(
    ours: str, shown: str, same: bool
) -> None:
    assert Record(shown, "PENDING").has_number(ours) == same


# ---- sbatch


@pytest.mark.parametrize(
    ("output", "job"),
    [
        ("8\n", JobId("8")),
        ("8;c2\n", JobId("8", "c2")),
        ("Submitted batch job 8\n", JobId("8")),
        ("Submitted batch job 8 on cluster c2\n", JobId("8", "c2")),
        ("lua: charged 100 to demo\n8\nhave a nice day\n", JobId("8")),
        ("7\nSubmitted batch job 8\n", JobId("8")),
        ("7\n8\n", None),
        ("", None),
        ("your job is number eight\n", None),
    ],
)
def test_sbatchs_answer_is_found_among_other_lines(output: str, job: JobId | None) -> None:
    assert client.read_job_id(output) == job


@pytest.mark.parametrize(
    ("said", "lost"),
    [
        ("Batch job submission failed: Socket timed out on send/recv operation", True),
        ("Zero Bytes were transmitted or received", True),
        ("no answer within 60 s: connection timed out", True),
        ("Unable to contact slurm controller (connect failure)", False),
        ("Unable to contact slurm controller (receive failure)", True),
        ("Batch job submission failed: Invalid partition name specified", False),
    ],
)
def test_an_answer_that_is_lost_is_no_refusal(said: str, lost: bool) -> None:
    assert client.error_of("sbatch", f"sbatch: error: {said}").answer_lost == lost
