"""Rank info of a process that Slurm has started, from its environment."""

from __future__ import annotations

import re
from collections.abc import Mapping

from hpc_dl.errors import UserError
from hpc_dl.run.rank_info import RankInfo


def rank_info(environment: Mapping[str, str]) -> RankInfo | None:
    """Return the rank of a task that srun has started; rank 0 for the script, which is no task.

    Raises UserError where the variables are incomplete.
    """
    if "SLURM_PROCID" not in environment:
        return None
    job, restarts = _job_id(environment), _number(environment, "SLURM_RESTART_COUNT") or 0
    rank, local = _number(environment, "SLURM_PROCID"), _number(environment, "SLURM_LOCALID")
    size = _number(environment, "SLURM_STEP_NUM_TASKS", "SLURM_NTASKS", "SLURM_NPROCS")
    if size is None and "SLURM_STEP_ID" not in environment:
        size = 1
    local = 0 if size == 1 else local
    if rank is None or size is None or local is None or rank >= size:
        raise UserError(
            f"cannot tell which rank this is: {_shown(environment)}",
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
        backend="slurm",
    )


def _number(environment: Mapping[str, str], *names: str) -> int | None:
    """Return the first of these variables that is a number."""
    found = (environment.get(name, "").strip() for name in names)
    return next((int(value) for value in found if value.isdecimal()), None)


def _tasks_here(environment: Mapping[str, str], size: int) -> int:
    """Return the number of tasks on this node.

    `2(x3),1` is two on each of three nodes, and one on the fourth.
    """
    names = ("SLURM_STEP_TASKS_PER_NODE", "SLURM_TASKS_PER_NODE")
    text = next((environment[name] for name in names if environment.get(name)), "")
    counts: list[int] = []
    for part in text.split(","):
        if match := re.fullmatch(r"(\d+)(?:\(x(\d+)\))?", part.strip()):
            counts += [int(match[1])] * int(match[2] or 1)
    node = _number(environment, "SLURM_NODEID") or 0
    if sum(counts) == size and node < len(counts):
        return counts[node]
    nodes = _number(environment, "SLURM_STEP_NUM_NODES", "SLURM_NNODES", "SLURM_JOB_NUM_NODES")
    return max(size // (nodes or 1), 1)


def _shown(environment: Mapping[str, str]) -> str:
    names = (
        "SLURM_PROCID",
        "SLURM_LOCALID",
        "SLURM_STEP_NUM_TASKS",
        "SLURM_NTASKS",
        "SLURM_NPROCS",
    )
    return ", ".join(f"{name}={environment.get(name, '')!r}" for name in names)


def _job_id(environment: Mapping[str, str]) -> str:
    """Return the job's id as its user knows it; a task of an array has another one, too."""
    if "SLURM_ARRAY_TASK_ID" in environment:
        return "{SLURM_ARRAY_JOB_ID}_{SLURM_ARRAY_TASK_ID}".format_map(environment)
    return environment.get("SLURM_JOB_ID") or environment["SLURM_JOBID"]
