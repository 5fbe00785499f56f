"""Who has a run now: the newest submission, as a file in the run folder.

It is written before the scheduler is asked, without a job id: a job whose id never came is known
by its mark, which the scheduler keeps with it.
"""

from __future__ import annotations

import contextlib
import dataclasses
import os
import re
import secrets
import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Annotated, Any, NamedTuple

from pydantic import Field

from hpc_dl.run import journal, process_identity, records
from hpc_dl.run.layout import DamagedFile, RunDir, write_json

_JOB = r"\d[\w.\[\]@-]{0,63}"
"""A job's id: it begins with a digit, and is one word to a scheduler's commands."""

MARK = "hpcdl:"
"""What the marks of all jobs begin with."""


@dataclass(frozen=True)
class Submission:
    """A job of a run. Times are seconds since 1970."""

    backend: str
    """The name of the scheduler that has it."""
    job_id: Annotated[str, Field(pattern=f"^({_JOB})?$")]
    """Empty until the scheduler has answered. A local job's is the process id of its controller."""
    host: str
    submitted: Annotated[float, Field(ge=0, lt=1e11)]
    group: Annotated[int, Field(gt=0)] | None = None
    """The process group of all the local job's processes."""
    mark: str = ""
    """`hpcdl:RUN:TOKEN`, which the scheduler keeps with the job: for Slurm in its comment and among
    its script's arguments."""
    cluster: str = ""
    """Slurm's name of the cluster, where known: another one may have a job of the same number."""
    user: str = ""
    machine: str = ""
    """Of a local job; see `process_identity.identity`."""

    @classmethod
    def intend(cls, run: RunDir, backend: str) -> Submission:
        """Record, and return, that a job is about to be submitted."""
        host, mark = os.uname().nodename, f"{MARK}{run.id}:{secrets.token_hex(8)}"
        new = cls(backend, "", host, time.time(), mark=mark, user=process_identity.user())
        new.save(run)
        return new

    @property
    def is_ours(self) -> bool:
        """Whether this user has submitted it."""
        return self.user in ("", process_identity.user())

    def became(self, job_id: str, cluster: str = "", **changes: Any) -> Submission:
        """The submission, now that its job is known."""
        return dataclasses.replace(self, job_id=job_id, cluster=cluster, **changes)

    def save(self, run: RunDir) -> None:
        write_json(run.submission, dataclasses.asdict(self))

    @classmethod
    def load(cls, run: RunDir) -> Submission | None:
        """None where the run was never submitted. Raises DamagedFile."""
        return records.find(run.submission, cls)


class Found(NamedTuple):
    """What is known of a run's newest submission."""

    submission: Submission | None
    fault: str = ""
    """What is wrong with the file of it; without a submission, nobody knows who has the run."""


def find(run: RunDir) -> Found:
    """The newest submission; where its file is damaged, what submitit or the logs show of it."""
    try:
        return Found(Submission.load(run))
    except DamagedFile as error:
        return Found(recover(run), error.message)


def recover(run: RunDir) -> Submission | None:
    """The newest submission by what it has left: submitit's files or, of a script that was given
    to sbatch by hand, logs. The process group of a local one is not among it.
    """
    traces = list(_traces(run, "submitit", rf"({_JOB})_submitted\.pkl"))
    traces = traces or list(_traces(run, "logs", rf"({_JOB})-(?:batch|\d+)\.log"))
    if (
        not traces and run.script.is_file() and _backend(run, "") == "slurm"
    ):  # it may know one by this
        return Submission("slurm", "", "", run.script.stat().st_mtime, mark=str(run.script))
    if not traces:
        return None
    # The follow-up of a job has the same file under a second name, and a higher number.
    since, _, job_id = max(traces)
    if _backend(run, job_id) == "local":
        return Submission("local", job_id, _host(run), since)
    return Submission("slurm", job_id, "", since)


@dataclass(frozen=True)
class _Backend:
    """What is to be known here of a plan."""

    backend: str


def _backend(run: RunDir, job_id: str) -> str:
    """What runs the job: as planned or, where the plan is damaged, as its files are called."""
    with contextlib.suppress(DamagedFile):
        return records.load(run.plan, _Backend).backend
    return "local" if any(run.path.glob(f"submitit/{job_id}_*_log.out")) else "slurm"


def _traces(run: RunDir, folder: str, pattern: str) -> Iterator[tuple[float, int, str]]:
    """When, which and whose each file is that a job has left; nothing of what cannot be read."""
    try:
        for path in (run.path / folder).iterdir():
            if match := re.fullmatch(pattern, path.name):
                job_id = match[1]
                number = re.match(r"\d+", job_id)
                yield path.lstat().st_mtime, int(number[0]) if number else 0, job_id
    except OSError:
        return


def _host(run: RunDir) -> str:
    """Where the newest attempt began, as it journalled; empty where that is not known."""
    host = ""
    with contextlib.suppress(DamagedFile):
        for event, _, _ in journal.read(run.journal, kinds=("state", "started")):
            if event["event"] == "started":
                host = (event.get("environment") or {}).get("host") or ""
            elif event["state"] == "planned":
                host = ""
    return host
