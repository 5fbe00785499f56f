"""What an architecture is: a game. Players take turns; each descends its own loss.

A classifier is the game with one player. The engine plays any game without knowing which.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar, Literal

from torch import Tensor, nn

from hpc_dl.spec.data import DataFacts
from hpc_dl.spec.models import Model

Batch = Mapping[str, Tensor]
"""Tensors by name, the first axis being the example. Of images: `image`, (B, C, H, W) float in
[0, 1]; `label`, (B,) int64 where there are classes; `index`, (B,) int64, the example's number."""

Nets = Mapping[str, nn.Module]


@dataclass(frozen=True)
class Loss:
    """A sum and what it was summed over, so that any split of a batch gives the same gradient."""

    total: Tensor
    """Scalar: the sum of the loss over `count` examples, tokens or nodes."""
    count: int | Tensor
    logs: Mapping[str, Tensor] = field(default_factory=dict)
    """Scalars: further sums over the same count, reported beside the loss as means."""


@dataclass(frozen=True)
class Picture:
    """An image to look at: (H, W) or (H, W, 3) uint8, with a caption."""

    pixels: Tensor
    caption: str


@dataclass(frozen=True)
class Headline:
    """The held-out metric that says which of two models is better."""

    metric: str
    goal: Literal["min", "max"]

    def better(self, new: float, old: float | None, margin: float = 0.0) -> bool:
        """Whether `new` improves on `old` by more than `margin`; NaN improves on nothing."""
        if math.isnan(new):
            return False
        if old is None:
            return True
        return new < old - margin if self.goal == "min" else new > old + margin


class Architecture:
    """One architecture, made from its options and from what is known of the data.

    `nets` is an argument everywhere, so the engine can pass wrapped, compiled or averaged
    networks; within one `loss` each player's network is called through its `forward`.
    """

    players: ClassVar[tuple[str, ...]] = ("model",)

    def __init__(self, options: Model, facts: DataFacts) -> None:
        self.options: Any = options
        self.facts = facts

    def networks(self) -> dict[str, nn.Module]:
        """Freshly initialised networks, one per player."""
        raise NotImplementedError

    def turns(self, step: int) -> Sequence[str]:
        """Who moves in this step, in order."""
        return self.players

    def loss(self, nets: Nets, batch: Batch, player: str) -> Loss:
        """What `player` descends on this batch. Pure in `nets` and `batch`."""
        raise NotImplementedError

    def measure(self, nets: Nets, batch: Batch) -> Mapping[str, Loss]:
        """Held-out metrics by name, as sums and counts; `loss` must be among them."""
        raise NotImplementedError

    @property
    def headline(self) -> Headline:
        """By which metric of `measure` models are compared."""
        return Headline("loss", "min")

    def artifacts(self, nets: Nets, sample: Batch) -> Mapping[str, Picture]:
        """Pictures by name, drawn from a few held-out examples."""
        return {}

    def predict(self, nets: Nets, batch: Batch) -> Mapping[str, Tensor]:
        """What a user wants back for new examples: tensors by name, the first axis an example."""
        raise NotImplementedError
