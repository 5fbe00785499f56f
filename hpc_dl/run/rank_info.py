"""Rank info: which rank of a run a process is."""

from __future__ import annotations

import os
from dataclasses import dataclass


@dataclass(frozen=True)
class RankInfo:
    """Rank of a process in its job, as the scheduler gives it."""

    rank: int
    world_size: int
    local_rank: int
    """Its number on its node."""
    local_world_size: int
    attempt: str
    """Unique to this start of this job: `JOB.RESTARTS`."""
    job_id: str
    restarts: int
    """How often the scheduler has started this job again."""
    backend: str = "local"
    """The name of the scheduler."""


def single_rank(backend: str) -> RankInfo:
    """Return the rank info of a process that no scheduler has started."""
    return RankInfo(0, 1, 0, 1, f"{os.getpid()}.0", str(os.getpid()), 0, backend)
