"""The section `sweep` of a job spec: which values are tried, and how."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import Field, NonNegativeInt, PositiveInt

from hpc_dl.jobspec.base import Spec

MethodName = Literal["grid", "random", "tpe", "asha", "hyperband", "median"]


class Sweep(Spec):
    """Many trainings of this spec, with other values: `hpcdl submit JOB.yaml --sweep`."""

    parameters: dict[str, Any] = Field({}, description="the values of each option, by its key")
    method: MethodName = Field("grid", description="how values are chosen, and trials ended early")
    trials: PositiveInt | None = Field(None, description="how many; all of a grid if unset")
    concurrent: PositiveInt = Field(8, description="how many jobs at once")
    metric: str | None = Field(
        None, description="like val/loss; the monitored metric of the validation if unset"
    )
    goal: Literal["minimize", "maximize"] | None = Field(
        None, description="that of the metric, where it is known, if unset"
    )
    seed: NonNegativeInt = Field(0, description="of the random values")
    seeds: PositiveInt | None = Field(
        None, description="trains each configuration with that many values of train.seed"
    )
    trials_per_gpu: PositiveInt = Field(1, description="trainings that share the GPU of a job")
