"""Contract of tasks: batches, losses, metrics, pictures, and what a task is."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, ClassVar, Literal

from torch import Tensor

from hpc_dl.jobspec.facts import DataFacts
from hpc_dl.tasks.artifacts import Artifact
from hpc_dl.tasks.criterion import Criterion
from hpc_dl.tasks.decoding import Step
from hpc_dl.tasks.former_names import FormerNames
from hpc_dl.tasks.tables import Array, Tables

if TYPE_CHECKING:
    from torchmetrics import Metric

    from hpc_dl.jobspec.train import Train

Batch = Mapping[str, Tensor]
"""Tensors by name, the first axis being the example: `index`, (B,) int64, its number; `label`, (B,)
int64 where there are classes; `target`, (B, targets) float where numbers are to be predicted; and
its input, under the name of its modality: `image`, (B, C, H, W) float in [0, 1]; `sequence`,
(B, T, F) float; `text`, (B, T) int64, with the `next` token of each, (B, T) int64, or with its
`translation`, (B, T') int64, and the bytes of the `reference` that this was made of; `table`,
(B, columns) float, NaN where a number is missing. Tables and targets are float64 where float32
would lose what they differ by.

Inputs of differing length are padded at the end, and have their real lengths beside them:
`text_length`, (B,) int64, of `text`.

After mixup an example has two labels: `label` with the mixing coefficient `lam`, (B,) float, and
`other_label` with 1 - `lam`.

Graphs come as one, whose parts are SHARED by the examples: `node`, (N, F) float; `edge`, (2, E)
int64, from node to node; and where there are several, `graph`, (N,) int64, and `graphs`, their
numbers. `at`, (B,) int64, is the row of a network's outputs that belongs to the example: the number
of a node, or of a graph."""

SHARED = frozenset({"node", "edge", "graph", "graphs"})


def take(batch: Batch, chosen: slice) -> Batch:
    """Return some examples of a batch, as a batch."""
    return {name: tensor if name in SHARED else tensor[chosen] for name, tensor in batch.items()}


@dataclass(frozen=True)
class Loss:
    """A sum and its count, so that any division of a batch gives the same gradient."""

    total: Tensor
    """Scalar: the sum of the loss over `count` examples, tokens or nodes."""
    count: int | Tensor
    """An int is the number of the batch's examples, which the ranks know of each other; any other
    count, as of tokens, is a tensor."""
    logs: Mapping[str, Tensor] = field(default_factory=dict)
    """Further sums over the same count, scalars, which are reported as means."""


@dataclass(frozen=True)
class OfSums:
    """A batch's part of a metric that follows from sums over all examples of a split."""

    score: Callable[..., Tensor | float]
    """Returns the metric from the sums, float64 on the CPU, over all batches and ranks."""
    sums: tuple[Tensor | float, ...]


@dataclass(frozen=True)
class OfExamples:
    """A batch's part of a metric that has to see all examples of a split at once."""

    score: Callable[..., Tensor | float]
    """Returns the metric from the columns of all batches and ranks, tensors on the CPU."""
    columns: tuple[Tensor | Sequence[str], ...]
    """With a row for each example."""


@dataclass(frozen=True)
class Observed:
    """A batch's arguments for the `update` of a metric of torchmetrics."""

    metric: Callable[[], Metric]
    """Makes the metric, which is updated with all batches of a split, on all ranks."""
    seen: tuple[Tensor | Sequence[str], ...]


Measured = Loss | OfSums | OfExamples | Observed
"""A batch's part of a metric; that of a `Loss` is the mean."""


@dataclass(frozen=True)
class MonitoredMetric:
    """Validation metric by which weights are compared."""

    metric: str
    goal: Literal["min", "max"]

    def better(self, new: float, old: float | None, margin: float = 0.0) -> bool:
        """Return whether `new` improves on `old` by more than `margin`; NaN never does."""
        if math.isnan(new):
            return False
        if old is None:
            return True
        return new < old - margin if self.goal == "min" else new > old + margin


class Task(FormerNames, ABC):
    """Task: loss, metrics, predictions and pictures of a network's outputs, (B, outputs).

    It belongs to the data, and is the same for every architecture.
    """

    former_names = {"headline": "monitored", "draw": "pictures"}

    monitored: MonitoredMetric
    tables: Tables | None = None
    """How predictions are written as tables; None where they are not."""
    of_nodes: ClassVar[bool] = False
    """True if an example is a node of a graph."""
    of_steps: ClassVar[bool] = False
    """True if there are outputs for each step of a sequence, (B, T, outputs)."""
    causal: ClassVar[bool] = False
    """True if the outputs of a step may depend on no later one."""
    shown: ClassVar[tuple[str, ...]] = ()
    """Targets that a network is given beside its input, as it learns each token from those before
    it."""
    rescaled: ClassVar[bool] = False
    """True if outputs are in the units of the targets, whatever these are."""

    criterion: Criterion | None = None
    """The loss that the job spec names in place of the task's own, for tasks that take one."""
    params: Any = None
    """Options that a call of `predict` may set, a dataclass; None where there are none."""

    def __init__(
        self, facts: DataFacts, options: Train | None, examples: Mapping[str, Tensor]
    ) -> None:
        """`options` are those of the job spec, `examples` the tensors of the training split; a
        network that is to predict, not to learn, has neither."""
        self.facts = facts

    @property
    def outputs(self) -> int:
        """How many numbers a network gives for an example, or for each step."""
        return self.facts.outputs

    @abstractmethod
    def loss(self, outputs: Tensor, batch: Batch) -> Loss:
        """Return the training loss of a batch."""

    @abstractmethod
    def measure(self, outputs: Tensor, batch: Batch) -> Mapping[str, Measured]:
        """Return the metrics of a held-out batch by name, `loss` among them."""

    def measure_generated(self, step: Step, batch: Batch, *, test: bool) -> Mapping[str, Measured]:
        """Return metrics of what a network writes for a held-out batch, by name; in a `test` also
        those that take too long for every epoch."""
        return {}

    @abstractmethod
    def predict(self, outputs: Tensor) -> Mapping[str, Tensor]:
        """Return predictions by name; the first axis is the example."""

    def decode(self, predicted: Mapping[str, Any]) -> Mapping[str, Array]:
        """Return what tensors cannot hold of predictions, by name: strings, such as the names of
        classes. Other architectures' predictions may be among them."""
        return {}

    @abstractmethod
    def pictures(self, held_out: Iterable[tuple[Tensor, Batch]]) -> Mapping[str, Artifact]:
        """Return artifacts, such as pictures, of how good the outputs for held-out batches are, by
        name."""

    def generate(self, step: Step, batch: Batch) -> Mapping[str, Tensor]:
        """Return what a network writes from its inputs on, token by token, by name; {} where the
        predictions follow from the outputs for the inputs."""
        return {}

    def samples(self, step: Step, sample: Batch) -> Mapping[str, Artifact]:
        """Return artifacts that a network writes from a few held-out examples on, by name."""
        return {}
