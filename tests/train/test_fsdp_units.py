"""What FSDP gathers at once: a block, never a whole network, and so a rank needs less than DDP."""

import ctypes
import re
from pathlib import Path

import psutil
import pytest
import torch
from torch import nn

from hpc_dl.torchvision_compat import torchvision
from hpc_dl.train import fsdp, gradient_sync
from hpc_dl.zoo.architectures.torchvision import Preprocessed
from hpc_dl.zoo.architectures.transformer import Encoder
from hpc_dl.zoo.layers.fronts import Front
from tests.support import ranks

MIB = 2**20
MMAP_THRESHOLD = -3
"""mallopt's number for it."""


def of_torchvision(name):
    return Preprocessed(torchvision("models").get_model(name, weights=None), None)


def transformer(depth=24, width=256):
    layer = nn.TransformerEncoderLayer(width, 4, 4 * width, 0.0, batch_first=True, norm_first=True)
    layers = nn.TransformerEncoder(layer, depth, enable_nested_tensor=False)
    return Encoder(Front(width), nn.Linear(width, width), 2, layers, width, 10, of_steps=False)


def count(module):
    return sum(parameter.numel() for parameter in module.parameters())


@pytest.mark.parametrize(
    "name", ["resnet50", "vit_l_16", "convnext_large", "swin_v2_b", "transformer"]
)
def test_no_unit_has_more_than_a_fifth_of_the_weights(name):
    with torch.device("meta"):
        network = transformer() if name == "transformer" else of_torchvision(name)
    units = fsdp.units(network)
    assert max(map(count, units)) <= 0.2 * count(network)
    assert sum(map(count, units)) >= 0.99 * count(network), "the rest is whole all the time"
    assert not any(isinstance(it, nn.ModuleList) for it in units), "it is never called"


class Tied(nn.Module):
    def __init__(self):
        super().__init__()
        self.blocks = nn.ModuleList([nn.Linear(8, 8) for _ in range(6)])
        self.last = nn.Linear(8, 8)
        self.last.weight = self.blocks[0].weight


def test_tied_weights_and_attention_are_not_divided():
    tied = Tied()
    assert fsdp.units(tied) == list(tied.blocks[1:])
    short = transformer(depth=2, width=8)  # each layer has half of the weights
    assert fsdp.units(short) == [short.enter, *short.layers.layers, short.head]


def needed(world, divided):
    """The most bytes that this rank holds while it trains, over what it held without a network."""
    ctypes.CDLL(None).mallopt(MMAP_THRESHOLD, 2**16)  # what is freed goes back at once
    before = psutil.Process().memory_info().rss
    torch.manual_seed(0)
    network = transformer()
    network = fsdp.shard(network, world) if divided else gradient_sync.ddp(network, world)
    optimizer = torch.optim.Adam(network.parameters(), fused=True)
    Path("/proc/self/clear_refs").write_text("5")  # the peak begins anew
    for _ in range(2):
        network(torch.ones(2, 2, 256)).sum().backward()
        optimizer.step()
        optimizer.zero_grad()
    said = Path("/proc/self/status").read_text()
    return 1024 * int(re.findall(r"VmHWM:\s+(\d+)", said)[0]) - before


@pytest.mark.nightly
def test_fsdp_needs_half_the_memory_of_ddp(tmp_path):
    weights = 4 * count(transformer())
    with_ddp, with_fsdp = (
        ranks.call_on_all(needed, 2, tmp_path, divided) for divided in (False, True)
    )
    assert with_ddp > 4 * weights, "weights, gradients and Adam's two moments"
    assert with_fsdp < 0.6 * with_ddp, (with_fsdp / MIB, with_ddp / MIB)


def trained(world, computes_in):
    """The weights after three steps under autocast, and the types that layers had meanwhile."""
    torch.manual_seed(0)
    network = transformer(depth=6, width=32)
    network.forward = torch.autocast("cpu", torch.bfloat16)(network.forward)  # as accelerate does
    types = types_of(network.layers.layers[0])
    network = fsdp.shard(network, world, computes_in)
    optimizer = torch.optim.SGD(network.parameters(), 1e-2)
    inputs = torch.rand(2, 4, 2, 32, generator=torch.Generator().manual_seed(world.rank))
    for batch in (*inputs, inputs[0]):
        network(batch).square().mean().backward()
        optimizer.step()
        optimizer.zero_grad()
    return fsdp.full_state_dict(network), types


def types_of(network):
    """The types of the weights of layers, by kind, once they have computed."""
    found = {}
    for it in network.modules():
        if type(it) in (nn.Linear, nn.LayerNorm):
            name = type(it).__name__
            it.register_forward_hook(
                lambda it, *_, name=name: found.update({name: it.weight.dtype})
            )
    return found


def _note(found, name, layer, *_):
    found[name] = layer.weight.dtype


def test_weights_that_autocast_rounds_are_gathered_rounded_with_the_same_result(tmp_path):
    (whole, exact), (rounded, types) = (
        ranks.call_on_all(trained, 2, tmp_path, it) for it in (None, torch.bfloat16)
    )
    assert exact == {"Linear": torch.float32, "LayerNorm": torch.float32}
    assert types == {"Linear": torch.bfloat16, "LayerNorm": torch.float32}
    assert whole.keys() == rounded.keys()
    assert {name for name in whole if not torch.equal(whole[name], rounded[name])} == set()


class Coder(nn.Sequential):
    def decode(self, code):
        return self[1](code)


class Block(nn.Sequential):
    pass


def exact_types(world, kind):
    layers = [nn.Linear(4, 4) for _ in range(6)]
    network = Coder(*layers) if kind is Coder else nn.Sequential(*map(Block, layers))
    types = types_of(network)
    fsdp.shard(network, world, torch.bfloat16)(torch.ones(1, 4))
    return types


@pytest.mark.parametrize("kind", [Coder, Block])
def test_weights_that_code_may_use_without_autocast_are_gathered_as_they_are(tmp_path, kind):
    assert ranks.call_on_all(exact_types, 2, tmp_path, kind) == {"Linear": torch.float32}
