"""The job spec: what a user writes to have a network trained."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Annotated, Any, ClassVar, Literal, Self

from pydantic import (
    AfterValidator,
    BeforeValidator,
    Field,
    NonNegativeInt,
    PositiveInt,
    WithJsonSchema,
    model_validator,
)

from hpc_dl.jobspec.architectures import ModelSpec
from hpc_dl.jobspec.base import Misplaced, OpenSpec, Spec, tag_by_name
from hpc_dl.jobspec.credentials import hidden
from hpc_dl.jobspec.optimizers import Muon
from hpc_dl.jobspec.slurm import OTHER_MEMORY, SbatchOptions
from hpc_dl.jobspec.sources import DataSpec
from hpc_dl.jobspec.sweep import Sweep
from hpc_dl.jobspec.train import Train
from hpc_dl.jobspec.units import Interval, Memory, Time


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

    least_seconds: ClassVar[int] = 10
    """Between two checkpoints that only the ends of epochs ask for."""

    every: Interval = Field(
        "1 epoch",
        description="1 epoch, 500 steps or 10 min; where epochs are short, those of the ends of "
        f"epochs are at least {least_seconds} s apart",
    )
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


def _registered_model(name: str) -> str:
    """Raise ValueError for a name that MLflow's registry refuses."""
    if bad := next((char for char in name if char in "/:" or not char.isprintable()), None):
        raise ValueError(f"the name of a registered model has no {bad!r}")
    if not name.strip() or name.strip(".") == "":
        raise ValueError("the name of a registered model is neither blank nor dots alone")
    if len(name) > _LONGEST_EXPERIMENT:
        raise ValueError(
            f"the name of a registered model has at most {_LONGEST_EXPERIMENT} characters"
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
    register_as: Annotated[str, AfterValidator(_registered_model)] | None = Field(
        None,
        min_length=1,
        description="a model of MLflow's registry, of which the trained network becomes a version; "
        "none if unset",
    )


_CHOSEN_IN_TRAIN = ("loss", "optimizer", "schedule")
_TEXTS = {"type": "array", "items": {"type": "string"}}


def _as_list(value: object) -> object:
    """Return a list of what stands alone; a job's id is a number in YAML, and `true` is none."""
    words = value if isinstance(value, list) else [value]
    return [str(it) if type(it) is int else it for it in words]


def _path(value: str) -> str:
    """Raise ValueError for a URL: whoever reads the spec could write to it."""
    if "://" in value:
        raise ValueError(
            "a URL here would be copied to the run, its code.diff and MLflow: write it into a file "
            "that you alone may read, and give the path of that"
        )
    if not value.startswith(("/", "~")):
        raise ValueError("the path is absolute, or begins with ~")
    return value


def _address(value: str) -> str:
    """Raise ValueError for what is not one address."""
    if not re.fullmatch(r"[^\s@,;<>\"'\\]+@[^\s@,;<>\"'\\]+", value):
        raise ValueError("one address, like me@uni.edu")
    return value


class Notify(Spec):
    """Whom to tell as the run ends: a webhook, which gets a POST of JSON, or Slurm's mail."""

    webhook: Annotated[str, AfterValidator(_path)] | None = Field(
        None, description="a file of one line, the URL, like ~/.config/hpcdl/webhook; none if unset"
    )
    mail: Annotated[str, AfterValidator(_address)] | None = Field(
        None,
        description="an address, to which Slurm sends mail of the end or failure of each job; none "
        "if unset",
    )
    on: list[Literal["end", "failure", "no_progress"]] = Field(
        ["end", "failure", "no_progress"],
        min_length=1,
        description="completed or cancelled; failed, out of time or stopped; hanging for "
        "train.hang_timeout",
    )


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
    notify: Notify = Notify()
    sweep: Sweep | None = Field(None, description="many trainings of this spec, by --sweep")
    code: list[str] = Field(
        [],
        description="files and folders of your own, relative to this file, that the run needs a "
        "copy of besides what it imports",
    )

    after: Annotated[
        list[str],
        BeforeValidator(_as_list),
        WithJsonSchema({"anyOf": [{"type": "string"}, _TEXTS], "default": []}),
    ] = Field(
        [],
        description="runs that have to be complete before this one starts, by name, id, Slurm job "
        "id or pattern, like `sw-*`; it is cancelled if one of them fails",
    )

    @model_validator(mode="after")
    def _has_rungs(self) -> Self:
        """Raise Misplaced where no rung of a sweep lies before the end of a training."""
        sweep, epochs = self.sweep, self.train.epochs
        if sweep is None or not sweep.has_rungs:
            return self
        if epochs is None and sweep.method == "hyperband":
            what = "hyperband divides the epochs of a training: give train.epochs, not train.steps"
            raise Misplaced(("sweep", "method"), what)
        if epochs is not None and sweep.min_epochs >= epochs:
            what = f"the first rung has to come before the end: train.epochs is {epochs}"
            raise Misplaced(("sweep", "min_epochs"), what)
        return self

    def training(self) -> dict[str, Any]:
        """Return the options that the trained weights depend on, as plain values: without the
        resources, the tracking, and how to load and to report."""
        found = self.model_dump(
            mode="json",
            include={"model", "data", "train"},
            exclude={"data": self.data.loading_options, "train": self.train.may_change},
        )
        if self.checkpoint.monitor:  # by which the exported weights are chosen
            found["checkpoint"] = {"monitor": self.checkpoint.monitor}
        return found

    def foreign_parts(self) -> dict[str, Any]:
        """Return the parts for code that is not hpcdl's, a user's or torch's, by where they stand:
        `model`, `train.loss`; and Muon, which goes by the layers of a network."""
        chosen = {"model": self.model, "data": self.data, "data.augment": self.data.augment}
        chosen |= {f"train.{key}": getattr(self.train, key) for key in _CHOSEN_IN_TRAIN}
        return {
            key: part
            for key, part in chosen.items()
            if isinstance(part, OpenSpec | Muon) or tag_by_name(part) == "own"
        }

    def user_parts(self) -> dict[str, str]:
        """Return what names a user's code, `my_code.py:NAME`, by the part in which it stands."""
        return {
            key: part.name
            for key, part in self.foreign_parts().items()
            if tag_by_name(part) == "own"
        }

    def with_changes(self, changes: Mapping[str, Mapping[str, Any]]) -> Self:
        """Return the spec with values changed, by the part in which they stand."""
        found = self
        for key, values in changes.items():
            section, _, inner = key.partition(".")
            part = getattr(found, section)
            update = {inner: getattr(part, inner).model_copy(update=values)} if inner else values
            found = found.model_copy(update={section: part.model_copy(update=update)})
        return found

    def without_password(self) -> Self:
        """Return the spec without passwords, as it may be written and shown."""
        if self.tracking.uri is None:
            return self
        shown = self.tracking.model_copy(update={"uri": hidden(self.tracking.uri)})
        return self.model_copy(update={"tracking": shown})
