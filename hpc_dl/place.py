"""Where a process stands among the ranks of a run, as its launcher tells it."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True)
class Place:
    """Where a process stands among the ranks of a run."""

    rank: int
    world_size: int
    local_rank: int
    """Its number on its node."""
    local_world_size: int
    attempt: str
    """Unique to this start of this job: `JOB.RESTARTS`."""
    job_id: str
    restarts: int
    """How often Slurm has started this job again."""
    slurm: bool = False


def find_place(environment: Mapping[str, str]) -> Place:
    """This process's place, from the environment of submitit's local tasks or of Slurm's.

    Without either it is alone.
    """
    if "SUBMITIT_LOCAL_GLOBALID" in environment:
        size = int(environment["SUBMITIT_LOCAL_NTASKS"])
        rank = int(environment["SUBMITIT_LOCAL_GLOBALID"])
        job = environment["SUBMITIT_LOCAL_JOB_ID"]
        return Place(rank, size, rank, size, f"{job}.0", job, 0)
    if "SLURM_PROCID" in environment:
        size, job = int(environment["SLURM_NTASKS"]), _job_id(environment)
        restarts = int(environment.get("SLURM_RESTART_COUNT", 0))
        return Place(
            rank=int(environment["SLURM_PROCID"]),
            world_size=size,
            local_rank=int(environment["SLURM_LOCALID"]),
            local_world_size=size // int(environment["SLURM_NNODES"]),
            attempt=f"{job}.{restarts}",
            job_id=job,
            restarts=restarts,
            slurm=True,
        )
    return Place(0, 1, 0, 1, f"{os.getpid()}.0", str(os.getpid()), 0)


def _job_id(environment: Mapping[str, str]) -> str:
    """As its user knows it: a task of an array also has a number of its own that nobody sees."""
    if "SLURM_ARRAY_TASK_ID" in environment:
        return "{SLURM_ARRAY_JOB_ID}_{SLURM_ARRAY_TASK_ID}".format_map(environment)
    return environment["SLURM_JOB_ID"]
