"""Contract of architectures. A train step is a game: players take turns, and each minimises its own
loss. A classifier is the game with one player, and the engine has no branch for any other.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from operator import attrgetter
from typing import Any, ClassVar

from torch import Generator, Tensor, nn

from hpc_dl.jobspec.facts import DataFacts
from hpc_dl.jobspec.model import Model
from hpc_dl.tasks.artifacts import Artifact, File, Picture, Text
from hpc_dl.tasks.contract import (
    SHARED,
    Batch,
    Loss,
    Measured,
    MonitoredMetric,
    Observed,
    OfExamples,
    OfSums,
    Task,
    take,
)
from hpc_dl.tasks.former_names import FormerNames
from hpc_dl.tasks.state import State
from hpc_dl.tasks.tables import Array

__all__ = [
    "FARTHEST",
    "SHARED",
    "Architecture",
    "Artifact",
    "Batch",
    "File",
    "Loss",
    "Measured",
    "MonitoredMetric",
    "Nets",
    "Observed",
    "OfExamples",
    "OfSums",
    "Picture",
    "Task",
    "Text",
    "take",
]

FARTHEST = 10.0
"""Limit of inputs that are standard normal: beyond it is one number in 10²³."""

Nets = Mapping[str, nn.Module]


def __getattr__(name: str) -> type:
    """Return the class of a former name, for a user's code in an old run folder."""
    former: dict[str, type] = {"Headline": MonitoredMetric, "Objective": Task}
    if name in former:
        return former[name]
    raise AttributeError(f"module '{__name__}' has no attribute '{name}'")


class Architecture(FormerNames):
    """Architecture: its networks, losses, metrics, artifacts and predictions.

    `nets` is an argument everywhere, so that the engine can pass wrapped, compiled or averaged
    networks; within one `loss` each player's network is called through its `forward`.
    """

    former_names = {"headline": "monitored", "turns": "updates"}

    players: ClassVar[tuple[str, ...]] = ("model",)

    def __init__(self, options: Model, facts: DataFacts, task: Task | None = None) -> None:
        self.options: Any = options
        self.facts = facts
        self.task = task
        """Task of the data; None if it has none."""

    def option(self, name: str, default: Any) -> Any:
        """Return an option, or a default: a user's class that is derived from one of hpcdl's may
        have options of its own, without those that are newer."""
        return getattr(self.options, name, default)

    objective = property(attrgetter("task"), lambda self, task: setattr(self, "task", task))
    """Former name of `task`."""

    def networks(self) -> dict[str, nn.Module]:
        """Return initialised networks, one for each player."""
        raise NotImplementedError

    def updates(self, step: int) -> Sequence[str]:
        """Return the players that are updated in this step, in order."""
        return self.players

    def loss(self, nets: Nets, batch: Batch, player: str) -> Loss:
        """Return the loss of a player for a batch. Pure in `nets` and `batch`."""
        raise NotImplementedError

    def carried_loss(
        self, nets: Nets, batch: Batch, player: str, carry: State
    ) -> tuple[Loss, State]:
        """Return the loss for sequences that continue those of the batch before, and the state at
        their end; `carry` is the state before, None at first. For networks that carry a state."""
        raise NotImplementedError

    def measure(self, nets: Nets, batch: Batch) -> Mapping[str, Measured]:
        """Return the metrics of a held-out batch by name, `loss` among them."""
        raise NotImplementedError

    def test(self, nets: Nets, batch: Batch) -> Mapping[str, Measured]:
        """Return the metrics of a test batch, also those that take too long for every epoch."""
        return self.measure(nets, batch)

    @property
    def monitored(self) -> MonitoredMetric | None:
        """Metric of `measure` by which weights are compared; None if the last are the best."""
        return MonitoredMetric("loss", "min")

    def artifacts(
        self, nets: Nets, sample: Batch, held_out: Iterable[Batch]
    ) -> Mapping[str, Artifact]:
        """Return pictures, texts and files by name; `sample` is the same few held-out examples each
        time, `held_out` all of them."""
        return {}

    def inputs(self, sample: Batch) -> Batch:
        """Return example inputs of `predict`, from a few held-out examples or generated."""
        name = self.facts.modality
        return {it: sample[it] for it in (name, f"{name}_length") if it in sample}

    def ranges(self) -> Mapping[str, tuple[float, float]]:
        """Return lower and upper limits of inputs of `predict`, by name."""
        labels = {"label": (0, len(self.facts.classes) - 1)} if self.facts.classes else {}
        return {"image": (0, 1), "video": (0, 1), **labels}

    def decode(self, predicted: Mapping[str, Tensor]) -> Mapping[str, Array]:
        """Return what tensors cannot hold of predictions, by name: the names of classes."""
        return self.task.decode(predicted) if self.task else {}

    def predict(self, nets: Nets, batch: Batch) -> Mapping[str, Tensor]:
        """Return predictions for new examples by name; the first axis is the example."""
        raise NotImplementedError

    def random_inputs(self, count: int, generator: Generator) -> Batch:
        """Return what `generate` makes so many pictures of, such as codes, on the CPU; {} of an
        architecture that makes none."""
        return {}

    def generate(self, nets: Nets, batch: Batch) -> Tensor:
        """Return new pictures of random inputs: (B, C, H, W) in [0, 1]."""
        return self.predict(nets, batch)["image"]
