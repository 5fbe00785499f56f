"""Residual network for small images: y = relu(x + F(x)), F two convolutions with normalisation.

Three stages of n blocks, each at half the sides and twice the channels of the one before, then the
mean over all pixels and a dense layer: 6 n + 2 layers with weights (He et al., arXiv:1512.03385,
section 4.2). The blocks are torchvision's.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Callable

from torch import nn

from hpc_dl.torchvision_compat import torchvision
from hpc_dl.zoo.layers.dense import norm
from hpc_dl.zoo.supervised import Supervised

STAGES = 3


class Residual(Supervised):
    """Residual network over images; the inputs of its last layer are an image's features."""

    def network(self) -> nn.Module:
        normalise = [
            functools.partial(
                norm,
                self.options.norm,
                sides=[math.ceil(side / 2**stage) for side in self.facts.shape[1:]],
            )
            for stage in range(STAGES)
        ]
        width, blocks = self.options.width, (self.options.depth - 2) // (2 * STAGES)
        layers: list[nn.Module] = [
            nn.Conv2d(self.facts.shape[0], width, 3, padding=1, bias=False),
            normalise[0](width),
            nn.ReLU(),
        ]
        before = width
        for stage in range(STAGES):
            for number in range(blocks):
                stride = 2 if stage and number == 0 else 1
                layers.append(block(before, width << stage, stride, normalise[stage]))
                before = width << stage
        layers += [nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(before, self.facts.outputs)]
        network = nn.Sequential(*layers)
        for module in network.modules():
            if isinstance(module, nn.Conv2d):
                nn.init.kaiming_normal_(module.weight, mode="fan_out", nonlinearity="relu")
        return network


def block(
    fan_in: int,
    fan_out: int,
    stride: int,
    normalise: Callable[[int], nn.Module] = nn.BatchNorm2d,
) -> nn.Module:
    """Return a residual block, (B, fan_in, H, W) to (B, fan_out, H / stride, W / stride); where
    these differ, a projection takes the place of the identity."""
    projection = None
    if stride > 1 or fan_in != fan_out:
        projection = nn.Sequential(
            nn.Conv2d(fan_in, fan_out, 1, stride, bias=False), normalise(fan_out)
        )
    blocks = torchvision("models.resnet")
    made: nn.Module = blocks.BasicBlock(fan_in, fan_out, stride, projection, norm_layer=normalise)
    return made
