"""Standardisation of inputs and of targets, by statistics of the training split, which are buffers
and so kept with the weights."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping, Sequence

import torch
from torch import Tensor, nn

from hpc_dl.tasks.statistics import Moments
from hpc_dl.zoo.layers.whitening import Whitening


class Statistics(nn.Module):
    """Mean and standard deviation of some numbers, (numbers,) each.

    In float64: of numbers that are large beside their deviation float32 would lose the digits.
    """

    mean: Tensor
    deviation: Tensor
    constant = 1.0
    """The deviation that a number without variance is given."""

    def __init__(self, shape: Sequence[int]) -> None:
        super().__init__()
        self.register_buffer("mean", torch.zeros(*shape, dtype=torch.float64))
        self.register_buffer("deviation", torch.ones(*shape, dtype=torch.float64))

    def fit(self, moments: Moments) -> None:
        """Take them from the moments of examples."""
        self.mean.copy_(moments.mean)
        self.deviation.copy_(moments.deviation(self.constant))

    def standardised(self, values: Tensor) -> Tensor:
        """Return (values - mean) / deviation, in float32."""
        return ((values - self.mean) / self.deviation).float()


class Standardise(Statistics):
    """(x - mean) / deviation of examples (B, numbers), in float32.

    It is 0, as for the mean, where x is NaN, and where the training data had no variance.
    """

    constant = math.inf

    def forward(self, example: Tensor) -> Tensor:
        return self.standardised(example).nan_to_num()


class StandardisedSequences(nn.Module):
    """Standardises what it computes of sequences."""

    input: str
    """The name of the sequences."""

    def fit(self, sequences: Iterable[tuple[Tensor, Tensor]]) -> None:
        """Fit the statistics to sequences, padded (B, T, ...) with their lengths (B,)."""
        raise NotImplementedError


class Rescaled(nn.Module):
    """Wraps a network so that its standardised outputs (B, targets) are in the targets' own units,
    in float64."""

    def __init__(self, network: nn.Module, targets: int) -> None:
        super().__init__()
        self.network, self.units = network, Statistics([targets])

    def forward(self, *inputs: Tensor, **named: Tensor) -> Tensor:
        return self.network(*inputs, **named) * self.units.deviation + self.units.mean


def fit_statistics(
    networks: Mapping[str, nn.Module],
    values: Callable[[str], Iterable[Tensor]],
    sequences: Callable[[str], Iterable[tuple[Tensor, Tensor]]],
) -> None:
    """Fit the statistics in all networks to a training split, whose `values` of a name come in
    parts, and `sequences` in padded ones with their lengths."""
    for network in networks.values():
        for module in network.modules():
            if isinstance(module, StandardisedSequences):
                module.fit(sequences(module.input))
            elif isinstance(module, Standardise):
                module.fit(Moments.of_parts(values("table")))
            elif isinstance(module, Rescaled):
                module.units.fit(Moments.of_parts(values("target")))
            elif isinstance(module, Whitening):
                module.fit(values("image"))
