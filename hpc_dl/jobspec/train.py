"""Options of the training: its length, optimizer, schedule, and what goes on in a step."""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal, Self

from pydantic import (
    Discriminator,
    Field,
    NonNegativeFloat,
    NonNegativeInt,
    PositiveFloat,
    PositiveInt,
    Tag,
    model_validator,
)

from hpc_dl.jobspec.base import Spec, tag_by_name
from hpc_dl.jobspec.units import Time

Momentum = Annotated[float, Field(ge=0, lt=1)]
Rate = PositiveFloat | Literal["auto"]


class AdamW(Spec):
    """Adam with decoupled weight decay (Loshchilov and Hutter, arXiv:1711.05101)."""

    name: Literal["adamw"]
    lr: Rate = Field(1e-3, description="peak learning rate, or `auto` to find one")
    weight_decay: NonNegativeFloat = 0.01
    betas: list[Momentum] = Field([0.9, 0.999], min_length=2, max_length=2)


class Adam(Spec):
    """Adam (Kingma and Ba, arXiv:1412.6980)."""

    name: Literal["adam"]
    lr: Rate = Field(1e-3, description="peak learning rate, or `auto` to find one")
    weight_decay: NonNegativeFloat = 0.0
    betas: list[Momentum] = Field([0.9, 0.999], min_length=2, max_length=2)


class SGD(Spec):
    """Stochastic gradient descent with momentum."""

    name: Literal["sgd"]
    lr: Rate = Field(0.1, description="peak learning rate, or `auto` to find one")
    momentum: Momentum = 0.9
    nesterov: bool = False
    weight_decay: NonNegativeFloat = 0.0

    @model_validator(mode="after")
    def _nesterov_needs_momentum(self) -> Self:
        if self.nesterov and self.momentum == 0:
            raise ValueError("nesterov needs a momentum above 0")
        return self


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


Optimizer = Annotated[
    Annotated[AdamW, Tag("adamw")] | Annotated[Adam, Tag("adam")] | Annotated[SGD, Tag("sgd")],
    Discriminator(tag_by_name),
]
Schedule = Annotated[
    Annotated[Constant, Tag("constant")]
    | Annotated[Cosine, Tag("cosine")]
    | Annotated[Linear, Tag("linear")]
    | Annotated[StepDown, Tag("step")],
    Discriminator(tag_by_name),
]


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
    }
    """Options that may change when a run resumes."""

    epochs: PositiveInt | None = Field(None, description="passes over the training split")
    steps: PositiveInt | None = Field(None, description="optimizer steps, instead of epochs")
    optimizer: Optimizer = Field(AdamW(name="adamw"), description="and its learning rate")
    schedule: Schedule = Field(
        Constant(name="constant"), description="of the learning rate, from step to step"
    )
    precision: Literal["fp32", "bf16", "fp16"] = Field(
        "fp32", description="of the computation; weights are fp32"
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
    log_every: PositiveInt = Field(50, description="steps between two reports within an epoch")

    @model_validator(mode="after")
    def _one_length(self) -> Self:
        if (self.epochs is None) == (self.steps is None):
            raise ValueError("give the length of the training as either epochs or steps")
        return self
