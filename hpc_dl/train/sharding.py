"""Networks that do not fit one GPU: weights, gradients and optimizer state divided over the ranks.

torch's FSDP2 (Zhao et al., arXiv:2304.11277; `fully_shard`) is called directly: accelerate's plugin
wants to prepare the optimizer, too. A checkpoint is one folder to which every rank writes its
shards (torch.distributed.checkpoint), and which any other number of ranks can read.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from concurrent.futures import Future
from pathlib import Path
from typing import Any

import torch
import torch.distributed as dist
from torch import Tensor, nn
from torch.distributed.checkpoint.api import CheckpointException
from torch.distributed.checkpoint.state_dict import (
    StateDictOptions,
    get_model_state_dict,
    get_state_dict,
    set_model_state_dict,
    set_state_dict,
)
from torch.distributed.checkpoint.state_dict_loader import load
from torch.distributed.checkpoint.state_dict_saver import async_save
from torch.distributed.device_mesh import init_device_mesh
from torch.distributed.fsdp import fully_shard

from hpc_dl.errors import UserError
from hpc_dl.train.shard_files import Planner, Reader
from hpc_dl.train.world import World

Pairs = Mapping[str, tuple[nn.Module, torch.optim.Optimizer]]
"""Each player's network and optimizer."""


LARGEST = 0.2
"""The share of a network's weights above which a part is divided further, where it can be."""
_LISTS = (nn.Sequential, nn.ModuleList, nn.ModuleDict)


def shard(network: nn.Module, world: World) -> nn.Module:
    """Divide a network over the ranks, unit by unit, so that one or two at a time are whole.

    A network in main memory comes to the ranks' devices in the same manner.
    """
    if world.size > 1:
        mesh = init_device_mesh(world.device.type, (world.size,))
        for unit in units(network):
            fully_shard(unit, mesh=mesh)
        fully_shard(network, mesh=mesh)
    return network


def units(network: nn.Module) -> list[nn.Module]:
    """The parts of a network that FSDP gathers one after the other: its repeated blocks.

    What belongs to none of them is gathered once for the whole pass.
    """
    everywhere = _uses(network)
    found = []
    for part in _parts(network, LARGEST * _weights(network)):
        uses = _uses(part)
        # Weights that are tied to another part's have to be whole when that one is, too.
        if uses and all(everywhere[weight] == times for weight, times in uses.items()):
            found.append(part)
    return found


def _parts(network: nn.Module, largest: float) -> Iterator[nn.Module]:
    """The parts that compute one after the other, divided where they have more than `largest`.

    A part is divided where it has a list of layers in it, which are called one by one. Others may
    use the weights of their layers without calling these, as attention does. ModuleList and
    ModuleDict compute nothing themselves.
    """
    for part in network.children():
        is_large = _weights(part) > largest
        if type(part).forward is nn.Module.forward or (is_large and _has_a_list(part)):
            yield from _parts(part, largest)
        else:
            yield part


def _has_a_list(part: nn.Module) -> bool:
    return any(isinstance(it, _LISTS) for it in part.modules())


def _weights(network: nn.Module) -> int:
    """How many numbers the parameters of a network hold."""
    return sum(parameter.numel() for parameter in network.parameters())


def _uses(network: nn.Module) -> Counter[int]:
    """How often each parameter, by its identity, occurs in a network."""
    return Counter(id(it) for _, it in network.named_parameters(remove_duplicate=False))


def whole_weights(network: nn.Module) -> dict[str, Any]:
    """All weights, in main memory of rank 0; nothing on the others. All ranks have to call it."""
    options = StateDictOptions(full_state_dict=True, cpu_offload=True)
    return get_model_state_dict(network, options=options)


class Shards:
    """Writes and reads the divided part of a checkpoint. All ranks call everything together."""

    def __init__(self, pairs: Pairs, world: World) -> None:
        self._pairs, self._world = pairs, world
        # The writing goes on beside the training, and so needs a group of its own.
        self._group = dist.new_group(backend="gloo") if world.size > 1 else None
        self._writing: Future[Any] | None = None
        self._make_room()

    def _make_room(self) -> None:
        """Have the optimizers begin now.

        torch looks at an optimizer that has not stepped yet by having it step, without gradient
        and rate; it would count that step, and a save would change the training.
        """
        self._state()
        for _, optimizer in self._pairs.values():
            for moments in optimizer.state.values():
                for moment in moments.values():
                    if isinstance(moment, Tensor):
                        moment.zero_()

    def save(self, folder: Path) -> Future[Any]:
        """Copy this rank's shards and return; the future is done when all ranks have written."""
        self.wait()
        alone = self._world.size == 1
        writing = async_save(
            self._state(), checkpoint_id=folder, process_group=self._group, no_dist=alone
        )
        assert isinstance(writing, Future)
        self._writing = writing
        return writing

    def wait(self) -> None:
        """Return once nothing is being written any more, whatever came of it."""
        if self._writing is not None:
            self._writing.exception()

    def load(self, folder: Path) -> None:
        """Stand where the shards were saved, by however many ranks."""
        state = self._state()
        self._read(state, folder)
        for name, (network, optimizer) in self._pairs.items():
            set_state_dict(
                network,
                optimizer,
                model_state_dict=state[name]["network"],
                optim_state_dict=state[name]["optimizer"],
            )

    def load_weights(self, folder: Path) -> None:
        """Take the weights alone."""
        state = {n: {"network": get_model_state_dict(net)} for n, (net, _) in self._pairs.items()}
        self._read(state, folder)
        for name, (network, _) in self._pairs.items():
            set_model_state_dict(network, state[name]["network"])

    def _read(self, state: dict[str, Any], folder: Path) -> None:
        """Fill `state` with what was saved; UserError where that is something else."""
        alone = self._world.size == 1
        try:
            load(state, storage_reader=Reader(folder), planner=Planner(), no_dist=alone)
        except CheckpointException as error:
            causes = {rank: cause for rank, (cause, _) in error.failures.items()}
            first = causes[min(causes)]
            raise UserError(
                f"{folder} cannot be read: {type(first).__name__}: {first}",
                hint=f"Remove {folder.parent}; the checkpoint before it is taken then.",
            ) from error

    def _state(self) -> dict[str, Any]:
        found = {}
        for name, (network, optimizer) in self._pairs.items():
            weights, moments = get_state_dict(network, optimizer)
            found[name] = {"network": weights, "optimizer": moments}
        return found
