"""Gradients averaged over the ranks: by DDP while they are computed, or afterwards.

DDP waits for a gradient of every parameter. Where a step leaves parameters without one, the ranks
average what there is when all of it is there: also of networks whose outputs the loss does not use,
or that compute other things on each rank, which DDP's own `find_unused_parameters` does not cover.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

import torch
import torch.distributed as dist
from torch import Tensor, nn
from torch.nn.parallel import DistributedDataParallel

from hpc_dl.errors import EXIT_FAILED, UserError, first_few
from hpc_dl.train.world import World


def ddp(network: nn.Module, world: World) -> DistributedDataParallel:
    """A network whose gradients the ranks average during the backward pass."""
    devices = [world.device] if world.device.type == "cuda" else None
    return DistributedDataParallel(network, device_ids=devices)


def without(parameters: Mapping[str, nn.Parameter]) -> list[str]:
    """The names of those that have no gradient."""
    return [name for name, parameter in parameters.items() if parameter.grad is None]


class Averaging:
    """Averages the gradients of parameters over the ranks, after they have been computed.

    Which have one is told in main memory, among all ranks, while their devices go on computing.
    """

    def __init__(self, world: World) -> None:
        self._world = world
        on_gpus = world.device.type == "cuda"
        self._group = dist.new_group(backend="gloo") if on_gpus else None  # or that of all

    @torch.no_grad()
    def average(self, parameters: Iterable[nn.Parameter]) -> None:
        """Average the gradients in place; all ranks have to call this together.

        A parameter that only some ranks used has no gradient on the others, which counts as 0. One
        that none used keeps none, so that no optimizer moves it, as on a single rank.
        """
        owners = list(parameters)
        used = torch.tensor([int(it.grad is not None) for it in owners])
        dist.all_reduce(used, group=self._group)
        of_type: dict[torch.dtype, list[Tensor]] = {}
        for owner, ranks in zip(owners, used.tolist(), strict=True):
            if ranks and owner.grad is None:
                owner.grad = torch.zeros_like(owner)
            if owner.grad is not None:
                of_type.setdefault(owner.grad.dtype, []).append(owner.grad)
        for gradients in of_type.values():
            flat = torch.cat([it.reshape(-1) for it in gradients])
            self._world.sum(flat).div_(self._world.size)
            sizes = [it.numel() for it in gradients]
            for gradient, values in zip(gradients, flat.split(sizes), strict=True):
                gradient.copy_(values.view_as(gradient))


def changed(step: int, player: str, now: Sequence[str], before: Sequence[str]) -> UserError:
    """The error of a step after which other parameters than at first have no gradient."""
    names = [name for name in now if name not in before] or [it for it in before if it not in now]
    verb = "had no part" if set(now) - set(before) else "had a part"
    return UserError(
        f"step {step}: {first_few(names, 8)} of player '{player}' {verb} in the loss, "
        "unlike in the first step",
        hint="Where that changes from step to step, or from rank to rank, set "
        "train.find_unused_parameters=true (with train.strategy=ddp).",
        exit_code=EXIT_FAILED,
    )
