"""Dense layers, activations and normalisation, of which several architectures are built."""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import pairwise

from torch import Tensor, nn

from hpc_dl.errors import UserError

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
"""Numbers of an example in a group: one alone is always its own mean, and becomes 0."""


def norm(kind: str, channels: int, sides: Sequence[int] = ()) -> nn.Module:
    """Return `batch` norm, or `group` norm (Wu and He, arXiv:1803.08494), of images (B, channels,
    *sides), or of vectors (B, channels): in 8 groups, or as many as divide the channels evenly, but
    no more than leave 4 numbers of an example to each.

    Raises UserError where an example has one number in all.
    """
    if kind == "batch":
        return nn.BatchNorm2d(channels) if sides else nn.BatchNorm1d(channels)
    groups, numbers = math.gcd(GROUPS, channels), channels * math.prod(sides)
    if numbers == 1:
        raise UserError(
            "model.norm: group norm of a single channel of a single pixel is always 0",
            hint="Take more channels, fewer layers, or model.norm=none.",
        )
    while groups > 1 and numbers < FEWEST * groups:
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


def shortcut(fan_in: int, fan_out: int, axes: int = 0, stride: int = 1) -> nn.Module:
    """Return the identity, or a linear map of the channels, of (B, channels) and so many axes, of
    which it takes every `stride`-th step."""
    if fan_in == fan_out and stride == 1:
        return nn.Identity()
    if axes == 0:
        return nn.Linear(fan_in, fan_out, bias=False)
    convolution = (nn.Conv1d, nn.Conv2d)[axes - 1]
    return convolution(fan_in, fan_out, 1, stride, bias=False)


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
        hidden += [] if normalise == "none" else [norm(normalise, fan_out)]
        hidden.append(ACTIVATIONS[activation]())
        hidden += [nn.Dropout(dropout)] if dropout else []
        if residual:
            hidden = [Residual(nn.Sequential(*hidden), shortcut(fan_in, fan_out))]
        layers += hidden
    return nn.Sequential(*layers, nn.Linear(widths[-2], widths[-1]))
