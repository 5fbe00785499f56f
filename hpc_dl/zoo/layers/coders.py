"""From an image to a vector and back, by dense layers or by convolutions: what autoencoders, and
networks that generate images, are built of.

Each convolution halves the sides, and each transposed one doubles them (Radford, Metz and Chintala,
arXiv:1511.06434); dense layers stand between them and the vector. Without channels all is dense.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import pairwise

import torch
from torch import Tensor, nn

from hpc_dl.zoo.layers.dense import ACTIVATIONS, dense

Shape = tuple[int, ...]


class Encoder(nn.Module):
    """Image (B, C, H, W), and what else is known of it, (B, known), to a vector (B, outputs)."""

    def __init__(
        self,
        shape: Shape,
        channels: Sequence[int],
        hidden: Sequence[int],
        outputs: int,
        activation: str,
        known: int = 0,
    ) -> None:
        super().__init__()
        layers: list[nn.Module] = []
        for fan_in, fan_out in pairwise((shape[0], *channels)):
            layers += [nn.Conv2d(fan_in, fan_out, 3, stride=2, padding=1)]
            layers += [ACTIVATIONS[activation]()]
        self.convolutions = nn.Sequential(*layers, nn.Flatten())
        features = math.prod(smallest(shape, channels))
        self.dense = dense([features + known, *hidden, outputs], activation)

    def forward(self, image: Tensor, known: Tensor | None = None) -> Tensor:
        features = self.convolutions(image)
        return self.dense(features if known is None else torch.cat([features, known], dim=1))


class Decoder(nn.Module):
    """Vector (B, inputs) to an image (B, C, H, W) of any real numbers: the encoder's mirror."""

    def __init__(
        self,
        shape: Shape,
        channels: Sequence[int],
        hidden: Sequence[int],
        inputs: int,
        activation: str,
    ) -> None:
        super().__init__()
        self.shape, start = shape, smallest(shape, channels)
        widths = [inputs, *reversed(hidden), math.prod(start)]
        layers: list[nn.Module] = [dense(widths, activation), nn.Unflatten(1, start)]
        for fan_in, fan_out in pairwise((*reversed(channels), shape[0])):
            layers += [ACTIVATIONS[activation]()]
            layers += [nn.ConvTranspose2d(fan_in, fan_out, 4, stride=2, padding=1)]
        self.layers = nn.Sequential(*layers)

    def forward(self, code: Tensor) -> Tensor:
        _, height, width = self.shape
        return self.layers(code)[:, :, :height, :width]


def smallest(shape: Shape, channels: Sequence[int]) -> Shape:
    """The shape (channels, height, width) of an image of `shape` after all convolutions."""
    height, width = shape[1:]
    for _ in channels:
        height, width = math.ceil(height / 2), math.ceil(width / 2)
    return channels[-1] if channels else shape[0], height, width
