"""Dense layers, activations and normalisation, of which several architectures are built."""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import pairwise

from torch import Tensor, nn

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
FEWEST = 4
"""Numbers of a vector in a group: one alone is always its own mean, and becomes 0."""


def norm(kind: str, channels: int, of_images: bool = True) -> nn.Module:
    """Return `batch` norm, or `group` norm (Wu and He, arXiv:1803.08494), of (B, channels, H, W),
    or of vectors (B, channels): in 8 groups, or as many as divide the channels evenly, but no more
    than leave 4 numbers of a vector to each."""
    if kind == "batch":
        return nn.BatchNorm2d(channels) if of_images else nn.BatchNorm1d(channels)
    groups = math.gcd(GROUPS, channels)
    while not of_images and groups > 1 and channels < FEWEST * groups:
        groups //= 2
    return nn.GroupNorm(groups, channels)


class Residual(nn.Module):
    """Adds its input to what a layer makes of it, by a `shortcut` where their widths differ (He et
    al., arXiv:1512.03385, equation 2)."""

    def __init__(self, layer: nn.Module, shortcut: nn.Module) -> None:
        super().__init__()
        self.layer, self.shortcut = layer, shortcut

    def forward(self, given: Tensor) -> Tensor:
        found: Tensor = self.layer(given) + self.shortcut(given)
        return found


def shortcut(fan_in: int, fan_out: int, axes: int = 0) -> nn.Module:
    """Return the identity, or a linear map of the channels, of (B, channels) and so many axes."""
    if fan_in == fan_out:
        return nn.Identity()
    if axes == 0:
        return nn.Linear(fan_in, fan_out, bias=False)
    convolution = (nn.Conv1d, nn.Conv2d)[axes - 1]
    return convolution(fan_in, fan_out, 1, bias=False)


def dense(
    widths: Sequence[int],
    activation: str,
    dropout: float = 0.0,
    normalise: str = "none",
    residual: bool = False,
) -> nn.Sequential:
    """Return dense layers through `widths`: (B, widths[0]) to (B, widths[-1]).

    Every layer but the last is followed by the norm, the activation, and dropout with the given
    probability; if `residual`, its input is added then.
    """
    layers: list[nn.Module] = []
    for fan_in, fan_out in pairwise(widths[:-1]):
        hidden: list[nn.Module] = [nn.Linear(fan_in, fan_out)]
        hidden += [] if normalise == "none" else [norm(normalise, fan_out, of_images=False)]
        hidden.append(ACTIVATIONS[activation]())
        hidden += [nn.Dropout(dropout)] if dropout else []
        if residual:
            hidden = [Residual(nn.Sequential(*hidden), shortcut(fan_in, fan_out))]
        layers += hidden
    return nn.Sequential(*layers, nn.Linear(widths[-2], widths[-1]))
