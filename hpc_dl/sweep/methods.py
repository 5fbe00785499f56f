"""Methods of search by their names."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from hpc_dl.sweep.asha import Asha
from hpc_dl.sweep.hyperband import Hyperband
from hpc_dl.sweep.method import EveryTrial, Method
from hpc_dl.sweep.trial import Trial

if TYPE_CHECKING:
    from hpc_dl.jobspec.job import JobSpec


def method_of(spec: JobSpec, trials: Sequence[Trial]) -> Method:
    """Return the method of a sweep, whose resolved `spec` has the goal of the metric."""
    sweep = spec.sweep
    assert sweep is not None
    if not sweep.has_rungs:
        return EveryTrial()
    assert sweep.goal is not None
    numbers = [it.number for it in trials]
    rungs = numbers, sweep.goal, sweep.reduction_factor, sweep.min_epochs
    if sweep.method == "asha":
        return Asha(*rungs)
    assert spec.train.epochs is not None
    return Hyperband(*rungs, spec.train.epochs)
