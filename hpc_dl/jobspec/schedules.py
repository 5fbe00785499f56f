"""Options of schedules of the learning rate: hpcdl's, those of torch, and a user's."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Literal

from pydantic import Field, NonNegativeInt, PositiveInt

from hpc_dl.jobspec import fields
from hpc_dl.jobspec.base import REFERENCE, OpenSpec, Spec
from hpc_dl.jobspec.choice import by_name


class Constant(Spec):
    """The peak learning rate throughout, after the warm-up."""

    name: Literal["constant"]
    warmup_steps: NonNegativeInt = 0


class Cosine(Spec):
    """Down half a cosine from the peak to `final` times the peak (arXiv:1608.03983)."""

    name: Literal["cosine"]
    warmup_steps: NonNegativeInt = 0
    final: Annotated[float, Field(ge=0, le=1)] = Field(0.0, description="share of the peak")


class Linear(Spec):
    """Down a straight line from the peak to `final` times the peak."""

    name: Literal["linear"]
    warmup_steps: NonNegativeInt = 0
    final: Annotated[float, Field(ge=0, le=1)] = Field(0.0, description="share of the peak")


class StepDown(Spec):
    """Times `factor` every `every_epochs` epochs."""

    name: Literal["step"]
    warmup_steps: NonNegativeInt = 0
    every_epochs: PositiveInt = 10
    factor: Annotated[float, Field(gt=0, lt=1)] = 0.1


class TorchSchedule(OpenSpec):
    """A schedule of torch.optim.lr_scheduler, by the name of its class; other keys are its
    arguments, which count in steps."""

    name: Literal[
        "ConstantLR",
        "CosineAnnealingLR",
        "CosineAnnealingWarmRestarts",
        "CyclicLR",
        "ExponentialLR",
        "LinearLR",
        "MultiStepLR",
        "OneCycleLR",
        "PolynomialLR",
        "StepLR",
    ]
    warmup_steps: NonNegativeInt = 0


class UserSchedule(OpenSpec):
    """A user's function of the step, counted from 0, and of the number of steps; it returns the
    share of the peak learning rate."""

    name: str = Field(pattern=REFERENCE, description="my_code.py:my_schedule")


if TYPE_CHECKING:
    Schedule = Constant | Cosine | Linear | StepDown | TorchSchedule | UserSchedule
else:
    _OF_TORCH = dict.fromkeys(fields.names_of(TorchSchedule), TorchSchedule)
    Schedule = by_name(
        {
            "constant": Constant,
            "cosine": Cosine,
            "linear": Linear,
            "step": StepDown,
            **_OF_TORCH,
            "own": UserSchedule,
        }
    )
