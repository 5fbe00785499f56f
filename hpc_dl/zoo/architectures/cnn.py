"""Convolutional network: convolutions and pooling in turn, then dense layers.

    y[o, i, j] = b[o] + Σ_{c, u, v} w[o, c, u, v] x[c, i + u, j + v],

then an activation and 2x2 max pooling, once for each of the `channels` (LeCun et al., Proc. IEEE 86
(1998), https://doi.org/10.1109/5.726791). Of sequences the same along time (Kim, arXiv:1408.5882).
"""

from __future__ import annotations

import math

from torch import nn

from hpc_dl.zoo.layers import fronts
from hpc_dl.zoo.layers.convolutions import SequenceConvolutions
from hpc_dl.zoo.layers.dense import ACTIVATIONS, Residual, dense, norm, shortcut
from hpc_dl.zoo.supervised import Supervised


class Convolutional(Supervised):
    """Convolutional network over images or sequences; the inputs of its last layer are an example's
    features."""

    def network(self) -> nn.Module:
        return self._of_images() if self.facts.modality == "image" else self._of_sequences()

    def _of_sequences(self) -> nn.Module:
        it = self.options
        head = dense([it.channels[-1], *it.hidden, self.task.outputs], it.activation, it.dropout)
        return SequenceConvolutions(
            fronts.of(self.facts, it.embedding, it.log_mel),
            it.channels,
            it.kernel,
            it.activation,
            nn.Sequential(*head),
            of_steps=self.task.of_steps,
            residual=self.option("residual", False),
        )

    def _of_images(self) -> nn.Module:
        it = self.options
        before, *sides = self.facts.shape
        layers: list[nn.Module] = []
        for channels in it.channels:
            block: list[nn.Module] = [convolution(before, channels, it.kernel)]
            block += [] if it.norm == "none" else [norm(it.norm, channels, sides)]
            block.append(ACTIVATIONS[it.activation]())
            if self.option("residual", False):
                block = [Residual(nn.Sequential(*block), shortcut(before, channels, axes=2))]
            layers += [*block, nn.MaxPool2d(2, ceil_mode=True)]
            before, sides = channels, [math.ceil(side / 2) for side in sides]
        widths = [before * math.prod(sides), *it.hidden, self.facts.outputs]
        head = dense(widths, it.activation, it.dropout)
        return nn.Sequential(*layers, nn.Flatten(), *head)


def convolution(fan_in: int, fan_out: int, kernel: int, *, bias: bool = True) -> nn.Conv2d:
    """Return a convolution that keeps the sides of an image: (B, fan_in, H, W) to (B, fan_out, H,
    W)."""
    return nn.Conv2d(fan_in, fan_out, kernel, padding="same", bias=bias)
