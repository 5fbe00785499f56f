"""Exact means over a held-out split, however it is divided over ranks and batches."""

from __future__ import annotations

import math
from collections.abc import Mapping

import torch
from torch import Tensor, nn

from hpc_dl.data.batches import held_out
from hpc_dl.data.split import Split
from hpc_dl.train.randomness import EVALUATION, seed_generators
from hpc_dl.train.world import World
from hpc_dl.zoo.contract import Architecture, Loss


def evaluate(
    architecture: Architecture,
    nets: Mapping[str, nn.Module],
    split: Split,
    world: World,
    *,
    batch_size: int,
    seed: tuple[int, ...],
) -> dict[str, float]:
    """The architecture's metrics as means over `split`; {} where the split is empty.

    `nets` are bare: a wrapper would wait for ranks whose share has fewer batches. All ranks measure
    the same number of batches all the same, for networks that are divided over them.
    """
    if not len(split):
        return {}
    seed_generators(world.device, *seed, EVALUATION, world.rank)
    sums: dict[str, tuple[Tensor | float, Tensor | float]] = {}
    with evaluating(nets), torch.no_grad():
        batches = held_out(split, batch_size, world.rank, world.size)
        for _ in range(math.ceil(math.ceil(len(split) / world.size) / batch_size)):
            batch = next(batches, None)
            if batch is None:  # this rank's share is smaller than the others'
                one = split.batch(torch.zeros(1, dtype=torch.int64, device=world.device))
                nothing = architecture.measure(nets, one)
                _add(sums, {name: Loss(loss.total * 0, 0) for name, loss in nothing.items()})
            else:
                _add(sums, architecture.measure(nets, batch))
            world.mark.reach(world.mark.at)
    names = sorted(sums)
    totals = world.sums([part for name in names for part in sums[name]])
    return {
        name: total / count
        for name, total, count in zip(names, totals[0::2], totals[1::2], strict=True)
    }


class evaluating:  # noqa: N801  a context manager, written like a function
    """Networks in evaluation mode for as long as the context lasts."""

    def __init__(self, nets: Mapping[str, nn.Module]) -> None:
        self.nets = nets

    def __enter__(self) -> None:
        for net in self.nets.values():
            net.eval()

    def __exit__(self, *_: object) -> None:
        for net in self.nets.values():
            net.train()


def _add(
    sums: dict[str, tuple[Tensor | float, Tensor | float]], measured: Mapping[str, Loss]
) -> None:
    for name, loss in measured.items():
        total, count = sums.get(name, (0.0, 0.0))
        sums[name] = (total + loss.total.double(), count + loss.count)
