"""The budget of a sweep: hours of its GPUs, or of its nodes where jobs have no GPU."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from hpc_dl.sweep.trial import Result

if TYPE_CHECKING:
    from hpc_dl.jobspec.job import JobSpec, Resources

_SECONDS = 3600.0


def is_over(spec: JobSpec, results: Iterable[Result]) -> bool:
    """Return whether the trials have used the hours that a sweep may use."""
    sweep = spec.sweep
    if sweep is None or sweep.gpu_hours is None:
        return False
    return used(results, spec.resources, sweep.trials_per_gpu) >= sweep.gpu_hours


def devices(resources: Resources) -> int:
    """Return the GPUs of a trial, or its nodes where it has no GPU."""
    return resources.nodes * max(1, resources.gpus_per_node)


def used(results: Iterable[Result], resources: Resources, shared_by: int) -> float:
    """Return the hours that trials have used so far; those that share a GPU use a part of it each.

    The seconds of a result are those of all parts of its trial.
    """
    seconds: dict[int, float] = {}
    for it in results:
        seconds[it.trial] = max(it.seconds, seconds.get(it.trial, 0.0))
    return sum(seconds.values()) / _SECONDS * devices(resources) / shared_by
