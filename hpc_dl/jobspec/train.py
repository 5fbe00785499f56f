"""Options of the training: its length, optimizer, schedule, and what goes on in a step."""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal, Self

from pydantic import (
    Field,
    NonNegativeFloat,
    NonNegativeInt,
    PositiveFloat,
    PositiveInt,
    model_validator,
)

from hpc_dl.jobspec.base import Spec
from hpc_dl.jobspec.losses import TrainLoss
from hpc_dl.jobspec.optimizers import AdamW, Optimizer
from hpc_dl.jobspec.schedules import Constant, Schedule
from hpc_dl.jobspec.units import Time

PROFILE_AFTER = 12
"""Steps of an attempt before those that are profiled: the first are slower than the others."""


class EarlyStopping(Spec):
    """Stop when the monitored metric of validation has not improved for `patience` epochs."""

    patience: PositiveInt = Field(5, description="epochs without improvement")
    min_delta: NonNegativeFloat = Field(0.0, description="what counts as an improvement")


class Train(Spec):
    """How to train."""

    may_change: ClassVar[set[str]] = {
        "log_every",
        "on_nonfinite",
        "hang_timeout",
        "idle_warning",
        "find_unused_parameters",
        "deterministic",
        "compile",
        "profile",
    }
    """Options that may change when a run resumes."""

    epochs: PositiveInt | None = Field(None, description="passes over the training split")
    steps: PositiveInt | None = Field(None, description="optimizer steps, instead of epochs")
    optimizer: Optimizer = Field(AdamW(name="adamw"), description="and its learning rate")
    schedule: Schedule = Field(
        Constant(name="constant"), description="of the learning rate, from step to step"
    )
    loss: TrainLoss | None = Field(
        None, description="in place of the task's own: of torch, or my_code.py:my_loss"
    )
    precision: Literal["fp32", "bf16", "fp16"] = Field(
        "fp32", description="of the computation; weights are fp32"
    )
    tf32: bool | None = Field(
        None,
        description="round the inputs of fp32 products to TF32 (a mantissa of 10 bits, not 23), "
        "which tensor cores of a GPU multiply faster; unset, that is done for convolutions and "
        "recurrent layers, not for matrix products, as torch has it",
    )
    compile: Literal["auto", "off", "reduce-overhead"] = Field(
        "auto",
        description="reduce-overhead: a GPU replays the forward and backward pass of a step as a "
        "CUDA graph, instead of waiting for Python to launch each kernel; auto: where that can be "
        "and pays, as the plan says",
    )
    strategy: Literal["ddp", "fsdp"] = Field(
        "ddp",
        description="every rank holds all weights, or fsdp: its share of them, where a GPU is too "
        "small for all",
    )
    ema_decay: Annotated[float, Field(gt=0, lt=1)] | None = Field(
        None,
        description="evaluate, draw and keep a running average of the weights, with such a decay "
        "a step, like 0.999",
    )
    label_smoothing: Annotated[float, Field(ge=0, lt=1)] = Field(
        0.0, description="share of each label that is spread evenly over all classes"
    )
    class_weights: Literal["balanced"] | list[PositiveFloat] | None = Field(
        None,
        description="how much an example of each class counts, in the order of the classes, or "
        "`balanced`: the rarer, the more",
    )
    clip_norm: PositiveFloat | None = Field(None, description="largest norm of the gradient")
    micro_batch: PositiveInt | None = Field(
        None,
        description="most examples a rank computes at once, evaluation included; a step "
        "accumulates over them",
    )
    sync_batch_norm: bool = Field(
        False,
        description="take the statistics of batch norm over the examples of all ranks, so that "
        "the losses are those on one rank; the ranks then wait for each other in every such layer",
    )
    find_unused_parameters: bool = Field(
        False,
        description="let the parameters that a step uses change from step to step, or from rank "
        "to rank; those that no step uses are found without it",
    )
    early_stopping: EarlyStopping | None = Field(
        None, description="end the training when it gets no better"
    )
    on_nonfinite: Literal["stop", "skip", "rollback"] = Field(
        "stop",
        description="after a loss that is not finite: stop, skip the step, or go back to the last "
        "checkpoint with half the learning rate",
    )
    hang_timeout: Time = Field(
        "00:30:00",
        description="time without progress after which the ranks' stacks are logged and the job "
        "is started again",
    )
    idle_warning: Time = Field(
        "00:10:00",
        description="time after which a GPU that does nothing becomes a warning, with the likely "
        "reason; below the limit after which your site cancels such jobs",
    )
    deterministic: bool = Field(
        True,
        description="compute the same bits each time on the same type of GPU; false may be faster "
        "(convolutions, graphs, attention, which also takes less memory then), and a run that is "
        "killed and resumed then ends with others",
    )
    seed: NonNegativeInt = Field(
        0,
        description="from which all random numbers follow, but for those that divide the data: "
        "data.split_seed",
    )
    profile: Annotated[int, Field(ge=1, le=100)] | None = Field(
        None,
        description=f"steps of rank 0 that torch's profiler traces, once, after {PROFILE_AFTER} "
        "others: artifacts/profile.json.gz of the run, and a table in its log",
    )
    log_every: PositiveInt = Field(50, description="steps between two reports within an epoch")

    @model_validator(mode="after")
    def _one_length(self) -> Self:
        if (self.epochs is None) == (self.steps is None):
            raise ValueError("give the length of the training as either epochs or steps")
        return self
