"""Problem: what all contenders train, as tensors in a file: examples, order, initial weights."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils.data import Sampler

EPOCHS = 10_000


@dataclass(frozen=True)
class Problem:
    """Examples as they are held, the seeds of their order, and the weights at the beginning."""

    workload: str
    batch: int
    options: dict[str, Any]
    """Those of the job spec's `train`."""
    examples: dict[str, Tensor]
    files: list[str]
    """Of the examples, where they are streamed."""
    outputs: int
    """How many classes, or characters, there are."""
    count: int
    seeds: list[int]
    """Of the order of each epoch."""
    weights: dict[str, list[Tensor]]
    """The trainable parameters of each player, in order."""

    def save(self, path: Path) -> None:
        torch.save(vars(self), path)

    @classmethod
    def load(cls, path: Path) -> Problem:
        return cls(**torch.load(path, weights_only=False))

    def orders(self) -> Iterator[Tensor]:
        """Yield the order of the examples in each epoch, (count,) int64."""
        for seed in self.seeds:
            yield torch.randperm(self.count, generator=torch.Generator().manual_seed(seed))

    def begin(self, network: nn.Module, player: str = "model") -> nn.Module:
        """Give a network, written by hand, the initial weights of hpcdl's."""
        parameters = [it for it in network.parameters() if it.requires_grad]
        with torch.no_grad():
            for parameter, value in zip(parameters, self.weights[player], strict=True):
                assert parameter.shape == value.shape, (parameter.shape, value.shape)
                parameter.copy_(value)
        return network

    def adam(self, network: nn.Module, *, fused: bool = True) -> torch.optim.Optimizer:
        """Return the job spec's optimizer, AdamW or Adam; torch's default is not fused."""
        given = self.options["optimizer"]
        kind = torch.optim.AdamW if given["name"] == "adamw" else torch.optim.Adam
        return kind(
            network.parameters(),
            lr=given["lr"],
            betas=tuple(given["betas"]),
            weight_decay=given["weight_decay"],
            fused=fused,
        )


class Order(Sampler[int]):
    """The order of the examples, which is the same for all contenders."""

    def __init__(self, problem: Problem) -> None:
        self.count, self.orders = problem.count, problem.orders()

    def __len__(self) -> int:
        return self.count

    def __iter__(self) -> Iterator[int]:
        yield from next(self.orders).tolist()
