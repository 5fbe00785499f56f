"""Dense layers, activations and normalisation, of which several architectures are built."""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import pairwise

from torch import nn

ACTIVATIONS: dict[str, type[nn.Module]] = {
    "relu": nn.ReLU,
    "leaky_relu": nn.LeakyReLU,
    "elu": nn.ELU,
    "gelu": nn.GELU,
    "silu": nn.SiLU,
    "tanh": nn.Tanh,
    "sigmoid": nn.Sigmoid,
}

GROUPS = 8


def norm(kind: str, channels: int) -> nn.Module:
    """Return `batch` norm, or `group` norm (Wu and He, arXiv:1803.08494), of (B, channels, H, W):
    in 8 groups, or as many as divide the channels evenly."""
    if kind == "batch":
        return nn.BatchNorm2d(channels)
    return nn.GroupNorm(math.gcd(GROUPS, channels), channels)


def dense(widths: Sequence[int], activation: str, dropout: float = 0.0) -> nn.Sequential:
    """Return dense layers through `widths`: (B, widths[0]) to (B, widths[-1]).

    The activation, and dropout with the given probability, follow every layer but the last.
    """
    layers: list[nn.Module] = []
    for fan_in, fan_out in pairwise(widths[:-1]):
        layers += [nn.Linear(fan_in, fan_out), ACTIVATIONS[activation]()]
        if dropout:
            layers.append(nn.Dropout(dropout))
    return nn.Sequential(*layers, nn.Linear(widths[-2], widths[-1]))
