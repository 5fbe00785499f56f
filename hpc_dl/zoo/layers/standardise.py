"""From the units of the data to those that networks learn well in, and back: what these are is
learned from the training split once, and is kept with the weights."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor, nn

from hpc_dl.tasks.statistics import deviation, mean


class Units(nn.Module):
    """The mean and the deviation of some numbers, (numbers,) each, in float64: of numbers that
    are large beside what they differ by, float32 would lose the difference."""

    mean: Tensor
    deviation: Tensor
    of_constants = 1.0
    """The deviation of what never changes."""

    def __init__(self, shape: Sequence[int]) -> None:
        super().__init__()
        self.register_buffer("mean", torch.zeros(*shape, dtype=torch.float64))
        self.register_buffer("deviation", torch.ones(*shape, dtype=torch.float64))

    def learn(self, values: Tensor) -> None:
        """Take them from examples (N, numbers)."""
        self.mean.copy_(mean(values))
        self.deviation.copy_(deviation(values, self.of_constants))


class Standardise(Units):
    """(x - mean) / deviation, of examples (B, numbers), in float32.

    0, as of the mean, where x is NaN, for a gap, and of what never changed in training, about
    which nothing was learned.
    """

    of_constants = math.inf

    def forward(self, example: Tensor) -> Tensor:
        return ((example - self.mean) / self.deviation).nan_to_num().float()


class Rescaled(nn.Module):
    """A network whose outputs (B, targets) are in units of the targets' deviation, in their own,
    in float64."""

    def __init__(self, network: nn.Module, targets: int) -> None:
        super().__init__()
        self.network, self.units = network, Units([targets])

    def forward(self, *given: Tensor, **named: Tensor) -> Tensor:
        return self.network(*given, **named) * self.units.deviation + self.units.mean


def learn_units(networks: Mapping[str, nn.Module], examples: Mapping[str, Any]) -> None:
    """Have all networks take the units of a training split, whose tensors are `examples`."""
    for network in networks.values():
        for module in network.modules():
            if isinstance(module, Standardise):
                module.learn(examples["table"])
            elif isinstance(module, Rescaled):
                module.units.learn(examples["target"])
