"""Where a process stands among the ranks of a run, as its launcher tells it."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass

from hpc_dl.errors import UserError


@dataclass(frozen=True)
class RankInfo:
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


def find_rank_info(environment: Mapping[str, str]) -> RankInfo:
    """This process's place, from the environment of submitit's local tasks or of Slurm's.

    Without either it is alone.
    """
    if "SUBMITIT_LOCAL_GLOBALID" in environment:
        size = int(environment["SUBMITIT_LOCAL_NTASKS"])
        rank = int(environment["SUBMITIT_LOCAL_GLOBALID"])
        job = environment["SUBMITIT_LOCAL_JOB_ID"]
        return RankInfo(rank, size, rank, size, f"{job}.0", job, 0)
    if "SLURM_PROCID" in environment:
        return _in_slurm(environment)
    return RankInfo(0, 1, 0, 1, f"{os.getpid()}.0", str(os.getpid()), 0)


def _in_slurm(environment: Mapping[str, str]) -> RankInfo:
    """The place of a task that srun has started, or of the script, which is no task."""
    job, restarts = _job_id(environment), _number(environment, "SLURM_RESTART_COUNT") or 0
    rank, local = _number(environment, "SLURM_PROCID"), _number(environment, "SLURM_LOCALID")
    size = _number(environment, "SLURM_STEP_NUM_TASKS", "SLURM_NTASKS", "SLURM_NPROCS")
    if size is None and "SLURM_STEP_ID" not in environment:
        size = 1
    local = 0 if size == 1 else local
    if rank is None or size is None or local is None or rank >= size:
        raise UserError(
            f"cannot tell which rank this is: {_said(environment)}",
            hint="Start it with srun, as the script of `hpcdl submit` does.",
        )
    return RankInfo(
        rank=rank,
        world_size=size,
        local_rank=local,
        local_world_size=_tasks_here(environment, size),
        attempt=f"{job}.{restarts}",
        job_id=job,
        restarts=restarts,
        slurm=True,
    )


def _number(environment: Mapping[str, str], *names: str) -> int | None:
    """The first of these variables that is a number."""
    found = (environment.get(name, "").strip() for name in names)
    return next((int(value) for value in found if value.isdecimal()), None)


def _tasks_here(environment: Mapping[str, str], size: int) -> int:
    """How many tasks are on this node: `2(x3),1` is two on each of three, and one on the fourth."""
    said = environment.get("SLURM_STEP_TASKS_PER_NODE") or environment.get("SLURM_TASKS_PER_NODE")
    counts: list[int] = []
    for part in (said or "").split(","):
        if match := re.fullmatch(r"(\d+)(?:\(x(\d+)\))?", part.strip()):
            counts += [int(match[1])] * int(match[2] or 1)
    node = _number(environment, "SLURM_NODEID") or 0
    if sum(counts) == size and node < len(counts):
        return counts[node]
    nodes = _number(environment, "SLURM_STEP_NUM_NODES", "SLURM_NNODES", "SLURM_JOB_NUM_NODES")
    return max(size // (nodes or 1), 1)


def _said(environment: Mapping[str, str]) -> str:
    names = (
        "SLURM_PROCID",
        "SLURM_LOCALID",
        "SLURM_STEP_NUM_TASKS",
        "SLURM_NTASKS",
        "SLURM_NPROCS",
    )
    return ", ".join(f"{name}={environment.get(name, '')!r}" for name in names)


def _job_id(environment: Mapping[str, str]) -> str:
    """As its user knows it: a task of an array also has a number of its own that nobody sees."""
    if "SLURM_ARRAY_TASK_ID" in environment:
        return "{SLURM_ARRAY_JOB_ID}_{SLURM_ARRAY_TASK_ID}".format_map(environment)
    return environment.get("SLURM_JOB_ID") or environment["SLURM_JOBID"]
