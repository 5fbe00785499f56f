"""The residual network is that of the paper: 6 n + 2 layers, and blocks beside the identity."""

import pytest
import torch
from torch import nn

from hpc_dl.jobspec.architectures.resnet import Residual as Options
from hpc_dl.jobspec.facts import DataFacts
from hpc_dl.zoo.architectures.resnet import Residual, block

CIFAR = DataFacts.of("image", "classify", (3, 32, 32), tuple("0123456789"), 45000, 5000, 10000)


def network(**options):
    return Residual(Options(name="resnet", **options), CIFAR).networks()["model"]


@pytest.mark.parametrize("depth", [8, 20, 32])
def test_it_has_as_many_layers_with_weights_as_its_depth_says(depth):
    """Projections beside a block are not counted, as in the paper."""
    weighted = [
        name
        for name, it in network(depth=depth).named_modules()
        if isinstance(it, nn.Conv2d | nn.Linear) and "downsample" not in name
    ]
    assert len(weighted) == depth


def test_resnet_20_is_as_large_as_the_papers():
    """0.27 million parameters (table 6); projections add 2 752."""
    assert sum(p.numel() for p in network(depth=20).parameters()) == 272_474


def test_a_block_whose_weights_are_zero_leaves_its_input():
    torch.manual_seed(0)
    same = block(4, 4, 1).eval()
    nn.init.zeros_(same.conv2.weight)
    image = torch.rand(2, 4, 6, 6)
    torch.testing.assert_close(same(image), image)


def test_a_block_adds_its_convolutions_to_its_input():
    torch.manual_seed(0)
    one, image = block(4, 4, 1).eval(), torch.rand(2, 4, 6, 6)
    inside = one.bn2(one.conv2(one.bn1(one.conv1(image)).relu()))
    torch.testing.assert_close(one(image), (image + inside).relu())


def test_each_stage_halves_the_sides_and_doubles_the_channels():
    shapes = []
    layers = network(depth=8, width=8)
    for layer in layers:
        if type(layer).__name__ == "BasicBlock":
            layer.register_forward_hook(lambda _, __, out: shapes.append(tuple(out.shape[1:])))
    layers(torch.rand(2, 3, 32, 32))
    assert shapes == [(8, 32, 32), (16, 16, 16), (32, 8, 8)]
