"""Submission: which job has a run, as a file in the run folder.

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
from dataclasses import dataclass
from typing import Annotated, Any, NamedTuple

from pydantic import Field

from hpc_dl.run import process_identity, records
from hpc_dl.run.layout import RunDir, write_json

_JOB_REST = r"[\w.\[\]@-]{0,63}?"
_JOB = rf"\d{_JOB_REST}"
"""A job's id: it begins with a digit, and is one word to a scheduler's commands."""

MARK = "hpcdl:"
"""Prefix of every mark."""
_PROPER_NAMES = {"slurm": "Slurm"}


def is_job_id(text: str) -> bool:
    """Return whether a text may be the id of a job."""
    return re.fullmatch(_JOB, text) is not None


def name_job(backend: str, job_id: str) -> str:
    """Return what people call a job of a scheduler: `Slurm job 7`."""
    return f"{_PROPER_NAMES.get(backend, backend)} job {job_id}"


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
        """True if this user has submitted it."""
        return self.user in ("", process_identity.user())

    def became(self, job_id: str, cluster: str = "", **changes: Any) -> Submission:
        """Return the submission with the id of its job."""
        return dataclasses.replace(self, job_id=job_id, cluster=cluster, **changes)

    def save(self, run: RunDir) -> None:
        write_json(run.submission, dataclasses.asdict(self))

    @classmethod
    def load(cls, run: RunDir) -> Submission | None:
        """None where the run was never submitted. Raises DamagedFile."""
        return records.find(run.submission, cls)


class JobFile(NamedTuple):
    """A file that a job has left."""

    since: float
    """When it was written, in seconds since 1970."""
    number: int
    job_id: str


def newest_job(run: RunDir, folder: str, ending: str) -> JobFile | None:
    """Return the newest file in a folder of the run whose name is a job's id and `ending`.

    Of files with the same time, such as two names of one file, that of the later job counts.
    """
    found = []
    with contextlib.suppress(OSError):
        for path in (run.path / folder).iterdir():
            if match := re.fullmatch(rf"((\d+){_JOB_REST}){ending}", path.name):
                found.append(JobFile(path.lstat().st_mtime, int(match[2]), match[1]))
    return max(found, default=None)
