"""The job spec: what a user writes to have a network trained."""

from __future__ import annotations

from typing import Annotated, Any, Literal, Self

from pydantic import (
    AfterValidator,
    BeforeValidator,
    Discriminator,
    Field,
    NonNegativeFloat,
    NonNegativeInt,
    PositiveFloat,
    PositiveInt,
    Tag,
    model_validator,
)

from hpc_dl.jobspec import units
from hpc_dl.jobspec.architectures import ModelSpec
from hpc_dl.jobspec.base import Spec, tag_by_name
from hpc_dl.jobspec.credentials import hidden
from hpc_dl.jobspec.slurm import OTHER_MEMORY, SbatchOptions
from hpc_dl.jobspec.sources import DataSpec


def _checked_by(parse: object) -> AfterValidator:
    def check(text: str) -> str:
        parse(text)  # type: ignore[operator]
        return text

    return AfterValidator(check)


_number_as_text = BeforeValidator(lambda v: str(v) if type(v) is int else v)

Time = Annotated[str, _number_as_text, _checked_by(units.seconds)]
Memory = Annotated[str, _number_as_text, _checked_by(units.bytes_of)]
Interval = Annotated[str, _checked_by(units.every)]
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


class Resources(Spec):
    """Resources to ask of the cluster; sbatch's names where Slurm has one."""

    nodes: PositiveInt = Field(1, description="each with as many ranks")
    gpus_per_node: NonNegativeInt = Field(0, description="one rank a GPU; 0 for ranks on CPUs")
    tasks_per_node: PositiveInt | None = Field(
        None, description="ranks on a node; one a GPU if unset, or 1 without GPUs"
    )
    cpus_per_task: PositiveInt = Field(4, description="cores of a rank")
    mem: Memory | None = Field(None, description="of a node, like 32G; the site's default if unset")
    time: Time = Field("01:00:00", description="wall-clock limit, as Slurm writes it")
    partition: str | None = Field(None, description="the site's default if unset")
    account: str | None = Field(None, description="to whom the time is charged")
    max_requeues: NonNegativeInt = Field(5, description="how often the run may be requeued")
    slurm: SbatchOptions = Field({}, description="any other sbatch option, by its long name")

    @model_validator(mode="after")
    def _one_rank_a_gpu(self) -> Self:
        if self.gpus_per_node and self.tasks_per_node not in (None, self.gpus_per_node):
            raise ValueError(
                f"one rank runs on each GPU: tasks_per_node is {self.tasks_per_node}, "
                f"gpus_per_node {self.gpus_per_node}; leave tasks_per_node out"
            )
        return self

    @model_validator(mode="after")
    def _memory_once(self) -> Self:
        twice = [f"slurm.{option}" for option in OTHER_MEMORY if option in self.slurm]
        if self.mem and twice:
            raise ValueError(f"mem and {twice[0]} exclude each other; give one of them")
        return self


class Checkpoint(Spec):
    """When to save, and how many checkpoints to keep; the best one is kept beside."""

    every: Interval = Field("1 epoch", description="1 epoch, 500 steps or 10 min")
    keep: PositiveInt = Field(3, description="the newest ones, beside the best")
    monitor: str | None = Field(
        None,
        description="the metric of validation, like loss or f1_macro, by which the best "
        "checkpoint is chosen and early stopping decides; accuracy where there are classes to "
        "predict, else the loss, if unset",
    )


def _experiment(name: str) -> str:
    """Raise ValueError for a name that some store does not take, or that nobody could read."""
    if not name.strip():
        raise ValueError("the name of an experiment is not blank")
    if bad := next((char for char in name if not char.isprintable()), None):
        raise ValueError(f"the name of an experiment has no {bad!r}")
    if len(name) > _LONGEST_EXPERIMENT:
        raise ValueError(
            f"the name of an experiment has {len(name)} characters; at most {_LONGEST_EXPERIMENT}"
        )
    return name


_LONGEST_EXPERIMENT = 256
"""Characters that MLflow's databases keep."""


class Tracking(Spec):
    """The MLflow store and experiment that show the run."""

    experiment: Annotated[str, AfterValidator(_experiment)] = Field(
        "hpcdl", min_length=1, description="MLflow experiment"
    )
    uri: str | None = Field(
        None, description="MLflow store; from the environment or the site if unset"
    )


_MAY_CHANGE = {
    "log_every",
    "on_nonfinite",
    "hang_timeout",
    "find_unused_parameters",
    "deterministic",
}
"""Options of `train` that may change when a run resumes."""


class JobSpec(Spec):
    """A whole job."""

    name: str = Field(
        pattern=r"^[A-Za-z0-9][A-Za-z0-9_.-]{0,63}$",
        description="of the run: letters, digits, '-', '_' and '.'",
    )
    model: ModelSpec
    data: DataSpec
    train: Train
    resources: Resources = Resources()
    checkpoint: Checkpoint = Checkpoint()
    tracking: Tracking = Tracking()
    code: list[str] = Field(
        [],
        description="files and folders of your own, relative to this file, that the run needs a "
        "copy of besides what it imports",
    )

    def training(self) -> dict[str, Any]:
        """Return the options that the trained weights depend on, as plain values: without the
        resources, the tracking, and how to load and to report."""
        found = self.model_dump(
            mode="json",
            include={"model", "data", "train"},
            exclude={"data": self.data.loading_options, "train": _MAY_CHANGE},
        )
        if self.checkpoint.monitor:  # by which the exported weights are chosen
            found["checkpoint"] = {"monitor": self.checkpoint.monitor}
        return found

    def without_password(self) -> Self:
        """Return the spec without passwords, as it may be written and shown."""
        if self.tracking.uri is None:
            return self
        shown = self.tracking.model_copy(update={"uri": hidden(self.tracking.uri)})
        return self.model_copy(update={"tracking": shown})
