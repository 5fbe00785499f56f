"""Who has a run now: the newest submission, as a file in the run folder."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import Any, Literal

from hpc_dl.rundir import RunDir, read_json, write_json


@dataclass(frozen=True)
class Submission:
    """A Slurm job, or the processes of a local one. Times are seconds since 1970."""

    backend: Literal["slurm", "local"]
    job_id: str
    """Slurm's, or the process id of submitit's local controller."""
    host: str
    submitted: float
    group: int | None = None
    """The process group of all the local job's processes."""

    def save(self, run: RunDir) -> None:
        write_json(run.submission, dataclasses.asdict(self))

    @classmethod
    def load(cls, run: RunDir) -> Submission | None:
        """None where the run was never submitted."""
        found: dict[str, Any] | None = read_json(run.submission)
        return cls(**found) if found else None
