"""Encoders and decoders of images, dense or convolutional, of which autoencoders are built.

Each convolution halves the sides, and each transposed one doubles them (Radford, Metz and Chintala,
arXiv:1511.06434); dense layers follow. Without channels there are dense layers alone. The shortcut
of a hidden layer (He et al., arXiv:1512.03385) halves and doubles the sides by a linear map.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import pairwise

import torch
from torch import Tensor, nn

from hpc_dl.zoo.layers.dense import ACTIVATIONS, Residual, dense, norm, shortcut

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
        normalise: str,
        residual: bool,
        condition: int = 0,
    ) -> None:
        super().__init__()
        layers: list[nn.Module] = []
        for number, (fan_in, fan_out) in enumerate(pairwise((shape[0], *channels)), start=1):
            reached = encoded_shape(shape, channels[:number])
            block: list[nn.Module] = [nn.Conv2d(fan_in, fan_out, 3, stride=2, padding=1)]
            block += _finish(reached, activation, normalise)
            if residual:
                past = shortcut(fan_in, fan_out, axes=2, stride=2)
                block = [Residual(nn.Sequential(*block), past)]
            layers += block
        self.convolutions = nn.Sequential(*layers, nn.Flatten())
        widths = [math.prod(encoded_shape(shape, channels)) + condition, *hidden, outputs]
        self.dense = dense(widths, activation, normalise=normalise, residual=residual)

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
        normalise: str,
        residual: bool,
    ) -> None:
        super().__init__()
        self.shape, start = shape, encoded_shape(shape, channels)
        widths = [inputs, *reversed(hidden), math.prod(start)]
        first = dense(widths, activation, normalise=normalise, residual=residual)
        layers: list[nn.Module] = [first, nn.Unflatten(1, start)]
        if channels:
            layers += _finish(start, activation, normalise)
        _, height, width = start
        for fan_in, fan_out in pairwise(reversed(channels)):
            height, width = 2 * height, 2 * width
            block: list[nn.Module] = [_enlarge(fan_in, fan_out)]
            block += _finish((fan_out, height, width), activation, normalise)
            if residual:
                past = nn.ConvTranspose2d(fan_in, fan_out, 2, stride=2, bias=False)
                block = [Residual(nn.Sequential(*block), past)]
            layers += block
        layers += [_enlarge(channels[0], shape[0])] if channels else []
        self.layers = nn.Sequential(*layers)

    def forward(self, code: Tensor) -> Tensor:
        _, height, width = self.shape
        return self.layers(code)[:, :, :height, :width]


def _enlarge(fan_in: int, fan_out: int) -> nn.Module:
    """Return a convolution that doubles the sides: (B, fan_in, H, W) to (B, fan_out, 2 H, 2 W)."""
    return nn.ConvTranspose2d(fan_in, fan_out, 4, stride=2, padding=1)


def _finish(shape: Shape, activation: str, normalise: str) -> list[nn.Module]:
    """Return what follows a convolution to images of `shape`: the norm, if any, and activation."""
    channels, *sides = shape
    layers = [] if normalise == "none" else [norm(normalise, channels, sides)]
    return [*layers, ACTIVATIONS[activation]()]


def encoded_shape(shape: Shape, channels: Sequence[int]) -> Shape:
    """Return the shape (channels, height, width) of an image of `shape` after all convolutions."""
    height, width = shape[1:]
    for _ in channels:
        height, width = math.ceil(height / 2), math.ceil(width / 2)
    return channels[-1] if channels else shape[0], height, width
