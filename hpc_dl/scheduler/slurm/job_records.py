"""Jobs as squeue, sacct and scontrol show them, whichever release prints it.

No field is assumed to be there, to be a number, or to be spelled as today. Only the states that
Slurm documents as final end a job; one that nobody has heard of is alive, under its own name.
"""

from __future__ import annotations

import contextlib
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

from hpc_dl.run.submission import MARK, Submission
from hpc_dl.scheduler.slurm import client
from hpc_dl.scheduler.slurm.client import SlurmError

SECONDS = 5.0
"""Time-out of a query."""

FINAL = frozenset(
    {
        "BOOT_FAIL", "CANCELLED", "COMPLETED", "DEADLINE", "FAILED", "NODE_FAIL", "OUT_OF_MEMORY",
        "PREEMPTED", "TIMEOUT",
    }
)  # fmt: skip
_HOW_IT_FAILED = frozenset({"LAUNCH_FAILED", "RECONFIG_FAIL"})
"""Flags beside a state, which say nothing of whether the job is alive."""
_QUEUED = frozenset(
    {
        "PENDING", "REQUEUED", "REQUEUE_FED", "REQUEUE_HOLD", "RESV_DEL_HOLD", "SPECIAL_EXIT",
    }
)  # fmt: skip
_RUNNING = frozenset(
    {
        "RUNNING", "SUSPENDED", "STOPPED", "CONFIGURING", "POWER_UP_NODE", "RESIZING", "SIGNALING",
        "STAGE_OUT", "EXPEDITING",
    }
)  # fmt: skip
_NOTHING = frozenset({"", "(null)", "None", "None assigned", "N/A", "Unknown"})

Phase = Literal["queued", "running", "completing", "ended", "revoked", "unknown"]


@dataclass(frozen=True)
class Record:
    """Record of one job, as Slurm prints it."""

    job_id: str
    state: str
    """In capitals, without who has cancelled it."""
    reason: str = ""
    nodes: str = ""
    partition: str = ""
    exit_code: str = ""
    user: str = ""
    text: str = ""
    """Its comment, its script and the script's arguments, where they are shown."""

    @property
    def phase(self) -> Phase:
        """Phase of the job. `unknown`: in a state that hpcdl does not know, so it is alive."""
        flags = set(re.findall(r"[A-Z_]+", self.state)) - _HOW_IT_FAILED
        if "REVOKED" in flags:
            return "revoked"
        if flags & _QUEUED:
            return "queued"
        if "COMPLETING" in flags:
            return "completing"
        if flags and flags <= FINAL:
            return "ended"
        return "running" if flags & _RUNNING and flags <= _RUNNING | FINAL else "unknown"

    def belongs_to(self, submission: Submission) -> bool:
        """Return whether this is the submission's job, and not one that has got its number since.

        Where a site has removed hpcdl's mark, number and user have to do. The tasks of an array
        have one mark.
        """
        if submission.mark and submission.mark in self.text:
            return "_" not in submission.job_id or self.has_number(submission.job_id)
        another = MARK in self.text or (self.user and submission.user not in ("", self.user))
        return not another and self.has_number(submission.job_id)

    def has_number(self, job_id: str) -> bool:
        """Return whether it has this number: waiting tasks of an array share a line."""
        if self.job_id in (job_id, f"{job_id}+0"):
            return True
        job, _, task = job_id.partition("_")
        waiting = re.fullmatch(rf"{re.escape(job)}_\[([\d,-]+)[^\d,-]*.*\]", self.job_id)
        if not task.isdecimal() or waiting is None:
            return False
        ranges = [part.split("-") for part in waiting[1].strip(",-").split(",")]
        return any(int(ends[0]) <= int(task) <= int(ends[-1]) for ends in ranges)


def marked(submission: Submission, records: Iterable[Record]) -> list[Record]:
    """Return the records of the submission's job, by its mark.

    Since Slurm 24.11 squeue shows no script's arguments, and a comment may be the user's own: then
    sacct and scontrol are asked how the jobs of the run's script were submitted.
    """
    if not submission.mark:
        return []
    script = f"/{submission.mark.removeprefix(MARK).partition(':')[0]}/"
    found = []
    for record in records:
        text = record.text
        if MARK not in text and script in text and is_id(record.job_id):
            text += _how_submitted(record.job_id)
        if submission.mark in text:
            found.append(record)
    return found


def _how_submitted(job_id: str) -> str:
    """Return what the commands show of a job, with the line that it was submitted with."""
    texts = []
    with contextlib.suppress(SlurmError):
        texts += [record.text for record in accounted([f"--jobs={job_id}"])]
    with contextlib.suppress(SlurmError):
        texts += [record.text for record in [shown(job_id)] if record]
    return "\n".join(texts)


def is_id(text: str) -> bool:
    """Return whether this is a job's number: anything else spoils Slurm's answer about all jobs."""
    return re.fullmatch(r"\d{1,10}(_\d{1,10})?", text) is not None


# ---- squeue: the jobs that the controller knows

_FIELDS = (
    "JobArrayID", "State", "Reason", "NodeList", "Partition", "exit_code", "UserName", "Command",
    "Comment",
)  # fmt: skip


def queued(ids: Iterable[str] = (), user: str = "", cluster: str = "") -> list[Record]:
    """Return the jobs with these ids, or all of this user, that the controller knows.

    Raises SlurmError. That a job with an id is missing proves nothing: `shown` does.
    """
    which = f"--jobs={','.join(ids)}" if ids else f"--user={user}"
    form = ",".join(f"{field}:|" for field in _FIELDS)
    flags = ["--noheader", "--array", "--states=all", *_on(cluster)]
    try:
        output, errors = client.ask(["squeue", *flags, which, f"-O{form}"], SECONDS)
    except SlurmError as error:
        if error.unreachable or not ids:
            raise
        return []  # so it answers when it knows none of them
    found = list(_rows(output))
    if not (ids or found) and (output.strip() or "error" in errors):
        raise SlurmError(f"squeue's answer cannot be read: {errors.strip() or output.strip()}")
    return found


def _rows(answer: str) -> Iterator[Record]:
    for line in answer.splitlines():
        row = [_something(cell) for cell in line.split("|", 7)]
        if len(row) == 8 and row[0] and row[1]:
            job, state, reason, nodes, partition, code, user, text = row
            yield Record(job, _plain(state), reason, nodes, partition, code, user, text)


# ---- sacct: the jobs that are in the database

_COLUMNS = "JobID,State,Reason,ExitCode,Submit,NodeList,User,Comment,SubmitLine"


def accounted(select: Sequence[str], cluster: str = "") -> list[Record]:
    """Return all attempts at the jobs that these options of sacct select, the oldest first.

    Raises SlurmError, also where there is no accounting.
    """
    flags = ["--allocations", "--duplicates", "--noheader", "--parsable2", *_on(cluster)]
    answer = client.call(["sacct", *flags, f"--format={_COLUMNS}", *select], SECONDS)
    rows = [line.split("|", 7) for line in answer.splitlines() if line.count("|") >= 7]
    found = []
    for row in sorted(rows, key=lambda row: row[4]):  # by Slurm's own clock
        job, state, reason, code, _, nodes, user, text = (_something(cell) for cell in row)
        if job and state:
            found.append(Record(job, _plain(state), reason, nodes, "", code, user, text))
    return found


# ---- scontrol: one job


def shown(job_id: str, cluster: str = "") -> Record | None:
    """Return a job as the controller has it; None if it has none. Raises SlurmError."""
    command = ["scontrol", "--oneliner", *_on(cluster), "show", "job", job_id]
    try:
        answer = client.call(command, SECONDS)
    except SlurmError as error:
        if "invalid job id" in error.message.lower():
            return None
        raise
    for line in answer.splitlines():
        if record := _from_scontrol(line, job_id):
            return record
    raise SlurmError(f"scontrol's answer on job {job_id} cannot be read")


def _from_scontrol(line: str, job_id: str) -> Record | None:
    shown_fields = fields(line)
    if "JobState" not in shown_fields:
        return None
    return Record(
        job_id,
        _plain(shown_fields["JobState"]),
        shown_fields.get("Reason", ""),
        shown_fields.get("NodeList", ""),
        shown_fields.get("Partition", ""),
        shown_fields.get("ExitCode", ""),
        shown_fields.get("UserId", "").partition("(")[0],
        line,
    )


def cancel(job_id: str, cluster: str = "") -> None:
    """Cancel a job. Raises SlurmError."""
    client.call(["scancel", *_on(cluster), job_id], client.COMMAND_SECONDS)


def fields(line: str) -> dict[str, str]:
    """Return the fields of a line of `scontrol --oneliner` that have a value."""
    return {key: value for key, value in re.findall(r"(\w+)=(\S+)", line) if _something(value)}


def _on(cluster: str) -> list[str]:
    return [f"--clusters={cluster}"] if cluster else []


def _something(cell: str) -> str:
    return "" if cell.strip() in _NOTHING else cell.strip()


def _plain(state: str) -> str:
    return re.sub(r"\s+BY\s.*|\+$", "", state.upper().strip())
