"""Encoders and decoders of images, dense or convolutional, of which autoencoders are built.

Each convolution halves the sides, and each transposed one doubles them (Radford, Metz and Chintala,
arXiv:1511.06434); dense layers follow. Without channels there are dense layers alone.
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
    """Image (B, C, H, W), and a condition (B, condition), to a vector (B, outputs)."""

    def __init__(
        self,
        shape: Shape,
        channels: Sequence[int],
        hidden: Sequence[int],
        outputs: int,
        activation: str,
        condition: int = 0,
    ) -> None:
        super().__init__()
        layers: list[nn.Module] = []
        for fan_in, fan_out in pairwise((shape[0], *channels)):
            layers += [nn.Conv2d(fan_in, fan_out, 3, stride=2, padding=1)]
            layers += [ACTIVATIONS[activation]()]
        self.convolutions = nn.Sequential(*layers, nn.Flatten())
        features = math.prod(encoded_shape(shape, channels))
        self.dense = dense([features + condition, *hidden, outputs], activation)

    def forward(self, image: Tensor, condition: Tensor | None = None) -> Tensor:
        features = self.convolutions(image)
        whole = features if condition is None else torch.cat([features, condition], dim=1)
        return self.dense(whole)


class Decoder(nn.Module):
    """Vector (B, inputs) to an image (B, C, H, W) of real numbers: mirror of the encoder."""

    def __init__(
        self,
        shape: Shape,
        channels: Sequence[int],
        hidden: Sequence[int],
        inputs: int,
        activation: str,
    ) -> None:
        super().__init__()
        self.shape, start = shape, encoded_shape(shape, channels)
        widths = [inputs, *reversed(hidden), math.prod(start)]
        layers: list[nn.Module] = [dense(widths, activation), nn.Unflatten(1, start)]
        for fan_in, fan_out in pairwise((*reversed(channels), shape[0])):
            layers += [ACTIVATIONS[activation]()]
            layers += [nn.ConvTranspose2d(fan_in, fan_out, 4, stride=2, padding=1)]
        self.layers = nn.Sequential(*layers)

    def forward(self, code: Tensor) -> Tensor:
        _, height, width = self.shape
        return self.layers(code)[:, :, :height, :width]


def encoded_shape(shape: Shape, channels: Sequence[int]) -> Shape:
    """Return the shape (channels, height, width) of an image of `shape` after all convolutions."""
    height, width = shape[1:]
    for _ in channels:
        height, width = math.ceil(height / 2), math.ceil(width / 2)
    return channels[-1] if channels else shape[0], height, width
