"""Parts of a valid spec that do not go together, or that the data or the site cannot give."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from hpc_dl.errors import UserError
from hpc_dl.jobspec import losses, units
from hpc_dl.jobspec.architectures import ZOO
from hpc_dl.jobspec.base import OpenSpec
from hpc_dl.jobspec.data import Augment, UserAugment
from hpc_dl.jobspec.facts import DataFacts, Modality
from hpc_dl.jobspec.faults import Fault
from hpc_dl.jobspec.model import UserModel
from hpc_dl.jobspec.normalised import Normalised
from hpc_dl.jobspec.only_with import find_unused
from hpc_dl.jobspec.optimizers import Muon
from hpc_dl.jobspec.sources import SOURCES
from hpc_dl.jobspec.suggestions import closest
from hpc_dl.jobspec.train import PROFILE_AFTER
from hpc_dl.planning.site import Site

if TYPE_CHECKING:
    from hpc_dl.jobspec.job import JobSpec

AUGMENTED: dict[str, tuple[Modality, ...]] = {
    "crop": ("image",),
    "flip": ("image",),
    "rotation": ("image",),
    "noise": ("image", "sequence", "audio"),  # the columns of a table have units of their own
    "transpose": ("music",),
    "mixup": ("image", "sequence", "table"),
}
"""What each way to augment can be done to."""
SMOOTHED = ("translate",)
"""Tasks beside classification whose loss takes label smoothing."""


class SpecConflict(UserError):
    """Parts of a valid spec that do not go together; `key` is the place to point at."""

    def __init__(self, key: str, message: str, hint: str = "") -> None:
        super().__init__(f"{key}: {message}", hint=hint)
        self.key = key
        self.faults = [Fault(tuple(key.split(".")), self.message, hint)]

    @classmethod
    def of(cls, faults: Sequence[Fault]) -> SpecConflict:
        """Return the conflict that is made of several faults, which are shown together."""
        conflict = cls(".".join(map(str, faults[0].path)), "", faults[0].hint)
        conflict.message = "\n".join(fault.message for fault in faults)
        conflict.faults = list(faults)
        return conflict


def check(spec: JobSpec, facts: DataFacts, site: Site | None) -> None:
    """Raise SpecConflict for what cannot be; without a site the run stays on this machine."""
    _check_kind_and_task(spec, facts)
    _check_conflict(spec, facts)
    _check_carried_state(spec)
    _check_classes(spec, facts)
    _check_loading(spec)
    _check_augmentation(spec, facts)
    _check_loss(spec, facts)
    _check_options_of_labels(spec, facts)
    _check_monitor(spec, facts)
    _check_ema(spec)
    _check_strategy(spec)
    _check_rate(spec)
    if site is not None:
        _check_partition(spec, site)


def check_new(spec: JobSpec, facts: DataFacts) -> None:
    """Raise SpecConflict for what a new run may not have, but one that an earlier version began may
    go on with."""
    _check_unused(spec, facts)
    _check_norm(spec)


def _check_kind_and_task(spec: JobSpec, facts: DataFacts) -> None:
    model = spec.model
    if isinstance(model, UserModel):
        return
    if facts.modality not in model.modalities or facts.task not in model.tasks:
        others = [
            name
            for name, it in ZOO.items()
            if facts.modality in it.modalities and facts.task in it.tasks
        ]
        raise SpecConflict(
            "model.name",
            f"{model.name} takes {_these(model.modalities)} to {_these(model.tasks)}; "
            f"{spec.data.name} is {facts.modality} data to {facts.task}",
            f"For {spec.data.name} take one of: {', '.join(others) or 'none of the zoo'}.",
        )
    if facts.train == 0:
        raise SpecConflict("data", f"{spec.data.name} has no training examples")
    if facts.task == "forecast" and facts.is_ragged:
        raise SpecConflict("data", f"{spec.data.name} has windows of several lengths to forecast")


def _check_unused(spec: JobSpec, facts: DataFacts) -> None:
    """Raise SpecConflict for options that would have no effect, all at once."""
    faults = [
        Fault((section, name), f"{section}.{name}: {why}", "Leave it out.")
        for section, options in (("model", spec.model), ("data", spec.data))
        for name, why in find_unused(options, facts)
    ]
    if faults:
        raise SpecConflict.of(faults)


def _check_conflict(spec: JobSpec, facts: DataFacts) -> None:
    if found := spec.model.find_conflict(facts):
        raise SpecConflict(f"model.{found.option}", found.message, found.hint)


def _check_norm(spec: JobSpec) -> None:
    model = spec.model
    if isinstance(model, Normalised) and model.norm == "group" and 1 in model.normed_widths:
        raise SpecConflict(
            "model.hidden",
            "a hidden layer of one unit is 0 everywhere after group norm: it is its own mean",
            "Take more units, or model.norm=none.",
        )


def _check_carried_state(spec: JobSpec) -> None:
    model = spec.model
    if spec.data.carries_state and not model.recurrent and not isinstance(model, UserModel):
        able = ", ".join(name for name, it in ZOO.items() if it.recurrent)
        raise SpecConflict(
            "data.carry_state", f"{model.name} has no state to carry over", f"These have: {able}."
        )
    augment = spec.data.augment
    if spec.data.carries_state and isinstance(augment, Augment) and augment.transpose:
        raise SpecConflict(
            "data.augment.transpose",
            "a piece would change its key from batch to batch, with data.carry_state",
            "Leave one of them out.",
        )


def _check_classes(spec: JobSpec, facts: DataFacts) -> None:
    """Raise SpecConflict where a single class is to be learnt, which every network gets right."""
    model, classes = spec.model, facts.include_classes or facts.classes
    if isinstance(model, UserModel) or not model.is_supervised:
        return
    if len(classes) == 1:
        raise SpecConflict(
            "data",
            f"{spec.data.name} has one class, {classes[0]}, and {model.name} needs two "
            "classes to tell apart",
            "Models that need no classes: "
            + ", ".join(name for name, it in ZOO.items() if "none" in it.tasks),
        )


def _check_loading(spec: JobSpec) -> None:
    if spec.data.loading == "streaming" and not spec.data.can_stream:
        able = ", ".join(name for name, source in SOURCES.items() if source.can_stream)
        raise SpecConflict(
            "data.loading", f"{spec.data.name} is held in memory", f"Those that stream: {able}."
        )


def _check_augmentation(spec: JobSpec, facts: DataFacts) -> None:
    augment = spec.data.augment
    if isinstance(augment, UserAugment) and facts.modality == "graph":
        raise SpecConflict(
            "data.augment", f"{spec.data.name} is graph data, whose batches are not augmented"
        )
    if augment is None or isinstance(augment, UserAugment):
        return
    for option, kinds in AUGMENTED.items():
        if getattr(augment, option) and facts.modality not in kinds:
            raise SpecConflict(
                f"data.augment.{option}",
                f"{spec.data.name} is {facts.modality} data; this is done to {_these(kinds)} data",
            )
    border = augment.crop
    if border and border >= min(facts.shape[-2:]):
        raise SpecConflict(
            "data.augment.crop",
            f"of pictures of {facts.shape[-2]} x {facts.shape[-1]}, with a border of {border}, "
            "some crops would be nothing but border",
        )


def _check_loss(spec: JobSpec, facts: DataFacts) -> None:
    loss = spec.train.loss
    if loss is None:
        return
    able = losses.TASKS.get(loss.name, losses.ANY)
    if facts.task not in able or not spec.model.is_supervised:
        others = [name for name, them in losses.TASKS.items() if facts.task in them]
        raise SpecConflict(
            "train.loss",
            f"{loss.name} is a loss to {_these(able)}; {spec.model.name} learns from "
            f"{spec.data.name} to {facts.task}",
            f"For that: {', '.join(others)}." if others else "Leave it out.",
        )
    if spec.train.label_smoothing:
        raise SpecConflict(
            "train.label_smoothing",
            f"{loss.name} is not smoothed by it",
            "Write train.loss: {name: CrossEntropyLoss, label_smoothing: "
            f"{spec.train.label_smoothing:g}}}, or leave train.loss out.",
        )
    if getattr(spec.model, "crf", False) is True:
        raise SpecConflict(
            "train.loss", "a conditional random field has a loss of its own", "Leave it out."
        )


def _check_options_of_labels(spec: JobSpec, facts: DataFacts) -> None:
    weights = spec.train.class_weights
    for key, asked in (("label_smoothing", spec.train.label_smoothing), ("class_weights", weights)):
        smooth = key == "label_smoothing" and facts.task in SMOOTHED
        if asked and not smooth and not (facts.classes and spec.model.is_supervised):
            raise SpecConflict(
                f"train.{key}", f"{spec.model.name} does not learn from classes here"
            )
    if isinstance(weights, list) and len(weights) != len(facts.classes):
        raise SpecConflict(
            "train.class_weights",
            f"{len(weights)} weights for the {len(facts.classes)} classes of {spec.data.name}",
            f"One each, in this order: {', '.join(facts.classes)}.",
        )


def _check_monitor(spec: JobSpec, facts: DataFacts) -> None:
    """Raise SpecConflict for a metric that there will not be.

    What a user's own network or a task of a user's measures, the first validation tells."""
    monitor, model = spec.checkpoint.monitor, spec.model
    if monitor and not facts.validation:
        raise SpecConflict("checkpoint.monitor", f"{spec.data.name} has no validation examples")
    if spec.train.early_stopping and not facts.validation:
        raise SpecConflict(
            "train.early_stopping", f"{spec.data.name} has no validation examples: it never stops"
        )
    if isinstance(model, UserModel):
        return
    known = model.monitors(facts)
    if known is None:
        return
    if monitor and monitor not in known:
        raise SpecConflict(
            "checkpoint.monitor",
            f"the validation of {model.name} has no metric '{monitor}' that tells which weights "
            f"are better{closest(monitor, list(known))}",
            f"Allowed: {', '.join(known)}" if known else "Leave it out: the last are exported.",
        )
    if spec.train.early_stopping and model.last_is_best and not monitor:
        raise SpecConflict(
            "train.early_stopping",
            f"no metric of {model.name} tells which weights are better: it would never stop",
            f"Name one, if you trust it: checkpoint.monitor: {known[0]}" if known else "",
        )


def _check_ema(spec: JobSpec) -> None:
    if spec.train.ema_decay and spec.train.strategy == "fsdp":
        raise SpecConflict("train.ema_decay", "weights that fsdp divides are not averaged")


def _check_strategy(spec: JobSpec) -> None:
    if spec.train.strategy == "fsdp" and spec.train.find_unused_parameters:
        raise SpecConflict(
            "train.find_unused_parameters",
            "what fsdp divides, all ranks compute alike in every step",
            "Take strategy: ddp, or a network that always uses the same parameters.",
        )
    if spec.train.strategy == "fsdp" and isinstance(spec.train.optimizer, OpenSpec | Muon):
        raise SpecConflict(
            "train.optimizer",
            "weights that fsdp divides are updated by adamw, adam or sgd",
            "Take one of them, or strategy: ddp.",
        )
    if spec.train.strategy == "fsdp" and not spec.model.divisible:
        raise SpecConflict(
            "train.strategy",
            f"the loss of {spec.model.name} is made of gradients, which cannot be taken of weights "
            "that fsdp divides",
            "Take strategy: ddp, or a model.loss without a gradient penalty.",
        )


def _check_rate(spec: JobSpec) -> None:
    if spec.train.optimizer.lr == "auto" and spec.model.adversarial:
        raise SpecConflict(
            "train.optimizer",
            f"no learning rate can be found for {spec.model.name}, whose players play against "
            "each other: no loss need fall",
            "Give a number, like lr: 2e-4.",
        )


def check_profile(spec: JobSpec, steps: int) -> None:
    """Raise SpecConflict where a training of so many steps ends before they are profiled."""
    asked = spec.train.profile
    if asked is not None and PROFILE_AFTER + asked > steps:
        raise SpecConflict(
            "train.profile",
            f"{asked} steps are profiled after {PROFILE_AFTER} others, and the training has "
            f"{steps} in all",
            "Train longer, or profile fewer.",
        )


def _these(words: tuple[str, ...]) -> str:
    return " or ".join(words)


def _check_partition(spec: JobSpec, site: Site) -> None:
    name = spec.resources.partition or site.default_partition
    if name is None or not site.partitions:
        return
    if name not in site.partitions:
        raise SpecConflict(
            "resources.partition",
            f"{site.name} has no partition '{name}'",
            f"It has: {', '.join(site.partitions)}.",
        )
    offer, asked = site.partitions[name], spec.resources
    limits: list[tuple[str, int, int | None]] = [
        ("gpus_per_node", asked.gpus_per_node, offer.gpus_per_node),
        (
            "cpus_per_task",
            asked.cpus_per_task * (asked.gpus_per_node or asked.tasks_per_node or 1),
            offer.cpus_per_node,
        ),
    ]
    for key, wanted, most in limits:
        if most is not None and wanted > most:
            what = key.split("_")[0]
            raise SpecConflict(
                f"resources.{key}",
                f"a node of partition '{name}' has {most} {what}; the job asks for {wanted}",
            )
    if asked.mem and offer.mem_per_node:
        wanted, most = units.bytes_of(asked.mem), units.bytes_of(offer.mem_per_node)
        if wanted > most:
            raise SpecConflict(
                "resources.mem", f"a node of partition '{name}' has {offer.mem_per_node} of memory"
            )
    if offer.max_time and units.seconds(asked.time) > units.seconds(offer.max_time):
        raise SpecConflict(
            "resources.time", f"partition '{name}' runs jobs for at most {offer.max_time}"
        )
