"""What an architecture is: a game. Players take turns; each descends its own loss.

A classifier is the game with one player. The engine plays any game without knowing which.
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, ClassVar, Literal

import numpy as np
from torch import Tensor, nn

from hpc_dl.spec.data import DataFacts
from hpc_dl.spec.model import Model

if TYPE_CHECKING:
    from matplotlib.figure import Figure
    from torchmetrics import Metric

Batch = Mapping[str, Tensor]
"""Tensors by name, the first axis being the example: `index`, (B,) int64, its number; `label`, (B,)
int64 where there are classes; `target`, (B, targets) float where numbers are to be foretold; and
what is known of it, under the name of its kind: `image`, (B, C, H, W) float in [0, 1]; `sequence`,
(B, T, F) float; `table`, (B, columns) float, NaN where a number is missing. Tables and targets are
float64 where float32 would lose what they differ by.

After mixup an example is of two classes: of `label` with `share`, (B,) float, and else of
`other_label`.

Graphs come as one, whose parts are SHARED by the examples: `node`, (N, F) float; `edge`, (2, E)
int64, from node to node; `graph`, (N,) int64, where there are several. `at`, (B,) int64, is the row
of a network's outputs that belongs to the example: the number of a node, or of a graph."""

SHARED = frozenset({"node", "edge", "graph"})

FARTHEST = 10.0
"""Deviations from 0 beyond which a number is not standard normal: one in 10²³."""

Nets = Mapping[str, nn.Module]


def part(batch: Batch, chosen: slice) -> Batch:
    """Some examples of a batch, as a batch."""
    return {name: tensor if name in SHARED else tensor[chosen] for name, tensor in batch.items()}


@dataclass(frozen=True)
class Loss:
    """A sum and what it was summed over, so that any split of a batch gives the same gradient."""

    total: Tensor
    """Scalar: the sum of the loss over `count` examples, tokens or nodes."""
    count: int | Tensor
    logs: Mapping[str, Tensor] = field(default_factory=dict)
    """Scalars: further sums over the same count, reported beside the loss as means."""


@dataclass(frozen=True)
class Observed:
    """What a metric that is no mean has seen of a batch: the arguments of its `update`."""

    metric: Callable[[], Metric]
    """Makes the metric, afresh; one of a split sees all its batches, on all ranks."""
    seen: tuple[Tensor, ...]


@dataclass(frozen=True)
class Picture:
    """Something to look at: a figure of matplotlib, whose title is the caption."""

    figure: Figure
    caption: str
    generated: bool = False
    """Whether it is of no example of the data, but made by the network alone."""

    def pixels(self, more: str = "") -> np.ndarray[tuple[int, ...], np.dtype[np.uint8]]:
        """The figure as (H, W, 3) bytes, with `more` after the caption in its title.

        pyplot has no part in it, so nothing is global and no display is needed.
        """
        from matplotlib.backends.backend_agg import FigureCanvasAgg

        self.figure.suptitle(self.caption + more, fontsize=9, parse_math=False)
        canvas = FigureCanvasAgg(self.figure)
        canvas.draw()
        return np.asarray(canvas.buffer_rgba())[..., :3].copy()


@dataclass(frozen=True)
class Headline:
    """The validation metric that is monitored: it says which of two models is better."""

    metric: str
    goal: Literal["min", "max"]

    def better(self, new: float, old: float | None, margin: float = 0.0) -> bool:
        """Whether `new` improves on `old` by more than `margin`; NaN improves on nothing."""
        if math.isnan(new):
            return False
        if old is None:
            return True
        return new < old - margin if self.goal == "min" else new > old + margin


class Objective(ABC):
    """What a task asks of a network's outputs, (B, outputs): its loss, its metrics, its pictures.

    It belongs to the data, and is the same for every architecture.
    """

    headline: Headline

    @abstractmethod
    def loss(self, outputs: Tensor, batch: Batch) -> Loss:
        """What is descended."""

    @abstractmethod
    def measure(self, outputs: Tensor, batch: Batch) -> Mapping[str, Loss | Observed]:
        """Held-out metrics by name, `loss` among them."""

    @abstractmethod
    def predict(self, outputs: Tensor) -> Mapping[str, Tensor]:
        """What the outputs say, for a user."""

    @abstractmethod
    def draw(self, judged: Iterable[tuple[Tensor, Batch]]) -> Mapping[str, Picture]:
        """Pictures of how good the outputs for held-out batches are."""


class Architecture:
    """One architecture, made from its options and from what is known of the data.

    `nets` is an argument everywhere, so the engine can pass wrapped, compiled or averaged
    networks; within one `loss` each player's network is called through its `forward`.
    """

    players: ClassVar[tuple[str, ...]] = ("model",)

    def __init__(
        self, options: Model, facts: DataFacts, objective: Objective | None = None
    ) -> None:
        self.options: Any = options
        self.facts = facts
        self.objective = objective
        """What the data's task asks of outputs, where there is a task; see `objectives`."""

    def networks(self) -> dict[str, nn.Module]:
        """Freshly initialised networks, one per player."""
        raise NotImplementedError

    def turns(self, step: int) -> Sequence[str]:
        """Who moves in this step, in order."""
        return self.players

    def loss(self, nets: Nets, batch: Batch, player: str) -> Loss:
        """What `player` descends on this batch. Pure in `nets` and `batch`."""
        raise NotImplementedError

    def measure(self, nets: Nets, batch: Batch) -> Mapping[str, Loss | Observed]:
        """Held-out metrics by name, as sums and counts, or as what a metric has seen of the batch.

        `loss` must be among them.
        """
        raise NotImplementedError

    def test(self, nets: Nets, batch: Batch) -> Mapping[str, Loss | Observed]:
        """What is measured at the end, on the test split: also what takes too long every epoch."""
        return self.measure(nets, batch)

    @property
    def headline(self) -> Headline | None:
        """By which metric of `measure` models are compared; None where the last is the best."""
        return Headline("loss", "min")

    def artifacts(
        self, nets: Nets, sample: Batch, held_out: Iterable[Batch]
    ) -> Mapping[str, Picture]:
        """Pictures by name: of a few held-out examples, always the same, or of all of them."""
        return {}

    def inputs(self, sample: Batch) -> Batch:
        """What `predict` is to be given, taken from a few held-out examples or made up."""
        return {self.facts.kind: sample[self.facts.kind]}

    def ranges(self) -> Mapping[str, tuple[float, float]]:
        """The least and the greatest number that `predict` takes, of the inputs that have such."""
        labels = {"label": (0, len(self.facts.classes) - 1)} if self.facts.classes else {}
        return {"image": (0, 1), **labels}

    def predict(self, nets: Nets, batch: Batch) -> Mapping[str, Tensor]:
        """What a user wants back for new examples: tensors by name, the first axis an example."""
        raise NotImplementedError
