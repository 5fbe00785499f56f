"""From the units of the data to those that networks learn well in, and back: what these are is
learned from the training split once, and is kept with the weights."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor, nn


def deviation(values: Tensor) -> Tensor:
    """The standard deviation of each column of (N, numbers); 1 of what never changes."""
    found = values.std(dim=0, unbiased=False)
    return torch.where(found > 0, found, 1.0)


class Units(nn.Module):
    """The mean and the deviation of some numbers, (numbers,) each."""

    mean: Tensor
    deviation: Tensor

    def __init__(self, shape: Sequence[int]) -> None:
        super().__init__()
        self.register_buffer("mean", torch.zeros(*shape))
        self.register_buffer("deviation", torch.ones(*shape))

    def learn(self, values: Tensor) -> None:
        """Take them from examples (N, numbers)."""
        self.mean.copy_(values.mean(dim=0))
        self.deviation.copy_(deviation(values))


class Standardise(Units):
    """(x - mean) / deviation, of examples (B, numbers)."""

    def forward(self, example: Tensor) -> Tensor:
        return (example - self.mean) / self.deviation


class Rescaled(nn.Module):
    """A network whose outputs (B, targets) are in units of the targets' deviation, in their own."""

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
