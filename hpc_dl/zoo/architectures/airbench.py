"""Network of airbench, which reaches 94 % on CIFAR-10 within seconds (Jordan, arXiv:2404.00498).

Patches of 2 x 2 pixels are whitened by filters that are fitted to training pictures and stay as
they are; blocks of two convolutions follow, the first of them with pooling, and each with batch
normalisation and GELU; then the maximum over all pixels and a dense layer. Of the convolutions'
outputs the first are initially the inputs (section 3.3), and the scales of batch normalisation are
not trained.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterable

import torch
from torch import Tensor, nn

from hpc_dl.zoo.architectures.cnn import convolution
from hpc_dl.zoo.layers.whitening import Whitening
from hpc_dl.zoo.supervised import Supervised

PATCH = 2
MOMENTUM = 0.4
"""Share of a batch in the running statistics: high, for the training is short."""


class Airbench(Supervised):
    """Network of airbench; the inputs of its last layer are an image's features."""

    def network(self) -> nn.Module:
        whitening = Whitening(self.facts.shape[0], PATCH)
        widths = [whitening.out_channels, *self.options.channels]
        network = nn.Sequential(
            whitening,
            nn.GELU(),
            *(layer for a, b in itertools.pairwise(widths) for layer in _block(a, b)),
            nn.AdaptiveMaxPool2d(1),
            nn.Flatten(),
            Head(widths[-1], self.facts.outputs, bias=False),
        )
        return Mirrored(network) if self.options.mirror else network


def _block(fan_in: int, fan_out: int) -> Iterable[nn.Module]:
    """Return the layers of a block: (B, fan_in, H, W) to (B, fan_out, H / 2, W / 2)."""
    for number, inputs in enumerate((fan_in, fan_out)):
        layer = convolution(inputs, fan_out, 3, bias=False)
        nn.init.dirac_(layer.weight.data[: min(inputs, fan_out)])
        yield layer
        if number == 0:
            yield nn.MaxPool2d(2)
        norm = nn.BatchNorm2d(fan_out, momentum=MOMENTUM)
        norm.weight.requires_grad_(False)
        yield norm
        yield nn.GELU()


class Head(nn.Linear):
    """Dense layer whose outputs are divided by the root of the number of features, so that high
    learning rates, which the convolutions take, do not throw them about."""

    def forward(self, features: Tensor) -> Tensor:
        return super().forward(features) / math.sqrt(self.in_features)


class Mirrored(nn.Module):
    """Mean of the outputs for a picture (B, C, H, W) and its mirror image, but while training."""

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network = network

    def forward(self, image: Tensor) -> Tensor:
        if self.training:
            return self.network(image)
        return torch.lerp(self.network(image), self.network(image.flip(-1)), 0.5)
