"""FSDP: weights, gradients and optimizer state sharded over the ranks, where one GPU is too small.

torch's FSDP2 (Zhao et al., arXiv:2304.11277; `fully_shard`) is called directly: accelerate's plugin
wants to prepare the optimizer, too.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from typing import Any

import torch
from torch import nn
from torch.distributed.checkpoint.state_dict import StateDictOptions, get_model_state_dict
from torch.distributed.device_mesh import init_device_mesh
from torch.distributed.fsdp import MixedPrecisionPolicy, fully_shard

from hpc_dl.train.world import World

LARGEST = 0.2
"""Share of a network's weights above which a part is divided into smaller units, if it can be."""
_LISTS = (nn.Sequential, nn.ModuleList, nn.ModuleDict)
_ROUNDED = (
    *(nn.Linear, nn.modules.linear.NonDynamicallyQuantizableLinear, nn.MultiheadAttention),
    *(nn.Conv1d, nn.Conv2d, nn.Conv3d),
)
"""Layers whose weights autocast rounds to the type that it computes in."""
_EXACT = (nn.LayerNorm, nn.GroupNorm, nn.RMSNorm, nn.Embedding, nn.modules.batchnorm._BatchNorm)
"""Layers whose weights it leaves as they are."""
_CALLING = ("torch", "torchvision", "hpc_dl")
"""Packages whose layers call such layers, and do not use their weights themselves."""


def shard(network: nn.Module, world: World, computes_in: torch.dtype | None = None) -> nn.Module:
    """Shard a network over the ranks, unit by unit, so that only one or two are gathered at a time.

    Weights that autocast rounds anyway, to the type that it `computes_in`, are gathered rounded:
    half the bytes, and the same bits. A network in main memory is moved to the ranks' devices in
    the same manner.
    """
    if world.size > 1:
        is_rounded = computes_in is not None and _is_called_as_a_whole(network)
        mesh = init_device_mesh(world.device.type, (world.size,))
        rounded = MixedPrecisionPolicy(computes_in, torch.float32, cast_forward_inputs=False)
        for unit in units(network):
            if is_rounded and _is_rounded(unit):
                for layer in [it for it in unit.modules() if isinstance(it, _EXACT)]:
                    fully_shard(layer, mesh=mesh)
                fully_shard(unit, mesh=mesh, mp_policy=rounded)
            else:
                fully_shard(unit, mesh=mesh)
        fully_shard(network, mesh=mesh)
    return network


def _is_called_as_a_whole(network: nn.Module) -> bool:
    """Return whether a network computes in `forward` alone, which autocast is in force for."""
    classes = type(network).__mro__[: -len(nn.Module.__mro__)]
    names = (name for it in classes for name, value in vars(it).items() if callable(value))
    return all(name == "forward" or name.startswith("_") for name in names)


def _is_rounded(unit: nn.Module) -> bool:
    """Return whether autocast rounds all weights of a unit, but those of layers that it calls."""
    of_whom = {type(it).__module__.partition(".")[0] for it in unit.modules()}
    owners = [it for it in unit.modules() if any(True for _ in it.parameters(recurse=False))]
    others = [it for it in owners if not isinstance(it, _EXACT)]
    return of_whom <= {*_CALLING} and bool(others) and all(type(it) in _ROUNDED for it in others)


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
