"""FSDP: weights, gradients and optimizer state sharded over the ranks, where one GPU is too small.

torch's FSDP2 (Zhao et al., arXiv:2304.11277; `fully_shard`) is called directly: accelerate's plugin
wants to prepare the optimizer, too.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from typing import Any

from torch import nn
from torch.distributed.checkpoint.state_dict import StateDictOptions, get_model_state_dict
from torch.distributed.device_mesh import init_device_mesh
from torch.distributed.fsdp import fully_shard

from hpc_dl.train.world import World

LARGEST = 0.2
"""Share of a network's weights above which a part is divided into smaller units, if it can be."""
_LISTS = (nn.Sequential, nn.ModuleList, nn.ModuleDict)


def shard(network: nn.Module, world: World) -> nn.Module:
    """Shard a network over the ranks, unit by unit, so that only one or two are gathered at a time.

    A network in main memory is moved to the ranks' devices in the same manner.
    """
    if world.size > 1:
        mesh = init_device_mesh(world.device.type, (world.size,))
        for unit in units(network):
            fully_shard(unit, mesh=mesh)
        fully_shard(network, mesh=mesh)
    return network


def units(network: nn.Module) -> list[nn.Module]:
    """Return the parts of a network that FSDP gathers one after the other: its repeated blocks.

    What belongs to none of them is gathered once for the whole pass.
    """
    everywhere = _uses(network)
    found = []
    for part in _parts(network, LARGEST * _weight_count(network)):
        uses = _uses(part)
        # Weights that are tied to another part's have to be gathered together with it.
        if uses and all(everywhere[weight] == times for weight, times in uses.items()):
            found.append(part)
    return found


def _parts(network: nn.Module, largest: float) -> Iterator[nn.Module]:
    """Yield the parts that compute one after the other, divided if they have more than `largest`.

    A part is divided where it has a list of layers in it, which are called one by one. Others may
    use the weights of their layers without calling these, as attention does. ModuleList and
    ModuleDict compute nothing themselves.
    """
    for part in network.children():
        is_large = _weight_count(part) > largest
        if type(part).forward is nn.Module.forward or (is_large and _has_a_list(part)):
            yield from _parts(part, largest)
        else:
            yield part


def _has_a_list(part: nn.Module) -> bool:
    return any(isinstance(it, _LISTS) for it in part.modules())


def _weight_count(network: nn.Module) -> int:
    """Return the number of weights of a network."""
    return sum(parameter.numel() for parameter in network.parameters())


def _uses(network: nn.Module) -> Counter[int]:
    """Count how often each parameter, by its id, occurs in a network."""
    return Counter(id(it) for _, it in network.named_parameters(remove_duplicate=False))


def full_state_dict(network: nn.Module) -> dict[str, Any]:
    """Return the full state dict in main memory of rank 0, {} on the others; all ranks call it."""
    options = StateDictOptions(full_state_dict=True, cpu_offload=True)
    return get_model_state_dict(network, options=options)
