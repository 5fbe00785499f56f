"""What Slurm says of many jobs: one squeue for those it knows, one sacct for those it forgot."""

from __future__ import annotations

from collections.abc import Container, Iterable, Mapping
from datetime import datetime

from hpc_dl import slurm
from hpc_dl.jobs import reach, words
from hpc_dl.jobs.seen import Seen
from hpc_dl.slurm import SlurmError
from hpc_dl.submission import Submission

SQUEUE_SECONDS = 5.0
SACCT_SECONDS = 5.0
TOLERANCE = 120.0
"""Seconds between our time of a submission and Slurm's; an older or younger job is another."""

_FIELDS = (
    "JobArrayID", "State", "Reason", "SubmitTime", "RestartCnt", "NodeList", "Partition",
    "exit_code",
)  # fmt: skip
_WAITS = frozenset({"PENDING", "CONFIGURING", "REQUEUE_HOLD", "REQUEUE_FED", "SPECIAL_EXIT"})
_RUNS = frozenset(
    {"RUNNING", "COMPLETING", "SUSPENDED", "STOPPED", "STAGE_OUT", "SIGNALING", "RESIZING"}
)
_GOES_ON = frozenset({"REQUEUED", "NODE_FAIL", "PREEMPTED"})
"""After such a row of sacct's, the same job may have a later one."""


def look(submissions: Iterable[Submission], unfinished: Container[str]) -> dict[str, Seen]:
    """How each of these jobs is, by job id.

    Only of the `unfinished` ones is Slurm's database asked what the controller has forgotten.
    """
    asked = {submission.job_id: submission for submission in submissions}
    if not asked:
        return {}
    try:
        seen = _squeue(asked)
    except SlurmError as error:
        return dict.fromkeys(asked, Seen("unknown", _why_unknown(error)))
    reach.answered()
    if forgotten := {job: asked[job] for job in asked if job not in seen and job in unfinished}:
        seen |= _sacct(forgotten)
    return dict.fromkeys(asked, Seen("gone")) | seen


def _why_unknown(error: SlurmError) -> str:
    if not error.unreachable:
        return error.message
    return f"cluster unreachable since {datetime.fromtimestamp(reach.missed()):%H:%M}"


def _squeue(asked: Mapping[str, Submission]) -> dict[str, Seen]:
    form = ",".join(f"{field}:|" for field in _FIELDS)
    flags = ["--noheader", "--array", "--states=all"]
    command = ["squeue", *flags, f"--jobs={','.join(asked)}", f"-O{form}"]
    try:
        answer = slurm.call(command, SQUEUE_SECONDS)
    except SlurmError as error:
        if "Invalid job id" in error.message:  # so it answers when it knows none of them
            return {}
        raise
    seen = {}
    for line in answer.splitlines():
        row = dict(zip(_FIELDS, line.split("|"), strict=False))
        job, restarted = row["JobArrayID"], row.get("RestartCnt", "0") != "0"
        if job in asked and (restarted or _is(asked[job], row.get("SubmitTime", ""))):
            seen[job] = _live(row)
    return seen


def _live(row: Mapping[str, str]) -> Seen:
    where = row["NodeList"] or row["Partition"]
    if row["State"] in _WAITS:
        return Seen("queued", words.waiting(row["Reason"]), where=where)
    if row["State"] in _RUNS:
        return Seen("running", words.RESTING.get(row["State"], ""), where=where)
    return words.ending(row["State"], where, row.get("exit_code", ""))


def _sacct(asked: Mapping[str, Submission]) -> dict[str, Seen]:
    """The jobs that the controller has forgotten; gone, where there is no accounting."""
    form = "JobID,State,ExitCode,Submit,NodeList"
    flags = ["--allocations", "--duplicates", "--noheader", "--parsable2", f"--format={form}"]
    try:
        answer = slurm.call(["sacct", f"--jobs={','.join(asked)}", *flags], SACCT_SECONDS)
    except SlurmError as error:
        without = "disabled" in error.message or "no `sacct`" in error.message
        return dict.fromkeys(asked, Seen("gone", certain=without))
    rows = [line.split("|") for line in answer.splitlines() if line.count("|") == form.count(",")]
    seen = {}
    for job, submission in asked.items():
        own = _chain(submission, [row for row in rows if row[0] == job])
        seen[job] = _ended(own) if own else Seen("gone")
    return seen


def _ended(row: list[str]) -> Seen:
    _, state, code, _, nodes = row
    return words.ending(state, "" if nodes == "None assigned" else nodes, code)


def _chain(submission: Submission, rows: list[list[str]]) -> list[str] | None:
    """The last row of this very job: a requeued job has a row for every attempt."""
    last: list[str] | None = None
    for row in sorted(rows, key=lambda row: row[3]):
        if _is(submission, row[3]) or (last and last[1] in _GOES_ON):
            last = row
    return last


def _is(submission: Submission, submitted: str) -> bool:
    """Whether Slurm's time of submission is ours."""
    try:
        return abs(float(submitted) - submission.submitted) <= TOLERANCE
    except ValueError:
        return False
