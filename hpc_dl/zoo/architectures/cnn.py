"""Convolutional network: filters that slide over an image, pooling, and dense layers at the end.

    y[o, i, j] = b[o] + Σ_{c, u, v} w[o, c, u, v] x[c, i + u, j + v],

then an activation and the largest of each 2x2 square, as often as there are `channels` (LeCun et
al., Proc. IEEE 86 (1998), https://doi.org/10.1109/5.726791).
"""

from __future__ import annotations

import math

from torch import nn

from hpc_dl.zoo.layers.dense import ACTIVATIONS, dense, norm
from hpc_dl.zoo.supervised import Supervised


class Convolutional(Supervised):
    """Convolutions over images; what goes into the last layer is an image's features."""

    def network(self) -> nn.Module:
        it = self.options
        before, *sides = self.facts.shape
        layers: list[nn.Module] = []
        for channels in it.channels:
            layers.append(convolution(before, channels, it.kernel))
            layers += [] if it.norm == "none" else [norm(it.norm, channels)]
            layers += [ACTIVATIONS[it.activation](), nn.MaxPool2d(2, ceil_mode=True)]
            before, sides = channels, [math.ceil(side / 2) for side in sides]
        widths = [before * math.prod(sides), *it.hidden, self.facts.outputs]
        head = dense(widths, it.activation, it.dropout)
        return nn.Sequential(*layers, nn.Flatten(), *head)


def convolution(fan_in: int, fan_out: int, kernel: int) -> nn.Conv2d:
    """A convolution that leaves the sides of an image as they are: (B, fan_in, H, W) to (B,
    fan_out, H, W)."""
    return nn.Conv2d(fan_in, fan_out, kernel, padding="same")
