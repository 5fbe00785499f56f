"""Gradient sync over the ranks: by DDP or FSDP in the backward pass, or after it.

DDP waits for a gradient of every parameter. Where a step leaves parameters without one, the ranks
average the gradients after the backward pass: also of networks whose outputs the loss does not use,
or that compute other things on each rank, which DDP's own `find_unused_parameters` does not cover.

FSDP is not imported here: that takes longer than all other imports of a job but torch's own, and
most jobs shard nothing. Where its modules have not been imported, nothing can be one of theirs.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from typing import Any, cast

import torch
import torch.distributed as dist
from torch import Tensor, nn
from torch.nn.parallel import DistributedDataParallel

from hpc_dl.errors import EXIT_FAILED, UserError, first_few
from hpc_dl.train.world import World


def ddp(network: nn.Module, world: World) -> DistributedDataParallel:
    """Wrap a network so that the ranks average its gradients during the backward pass, which are
    parts of the buffers that they send, not copies."""
    devices = [world.device] if world.device.type == "cuda" else None
    return DistributedDataParallel(network, device_ids=devices, gradient_as_bucket_view=True)


def without_gradient(parameters: Mapping[str, nn.Parameter]) -> list[str]:
    """Return the names of the parameters that have no gradient."""
    return [name for name, parameter in parameters.items() if parameter.grad is None]


class GradientAveraging:
    """Averages gradients over the ranks after the backward pass.

    The ranks agree in main memory on which parameters have one, while their devices compute.
    """

    def __init__(self, world: World) -> None:
        self._world = world
        on_gpus = world.device.type == "cuda"
        self._group = dist.new_group(backend="gloo") if on_gpus else None  # or the default group

    @torch.no_grad()
    def average(self, parameters: Iterable[nn.Parameter]) -> None:
        """Average the gradients in place; all ranks call this together.

        A parameter that only some ranks used has no gradient on the others, which counts as 0. One
        that none used keeps none, so that no optimizer changes it, as on a single rank.
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


def changed_error(step: int, player: str, now: Sequence[str], before: Sequence[str]) -> UserError:
    """Return the error of a step that leaves other parameters without a gradient than the first."""
    names = [name for name in now if name not in before] or [it for it in before if it not in now]
    verb = "is not used" if set(now) - set(before) else "is used"
    return UserError(
        f"step {step}: {first_few(names, 8)} of player '{player}' {verb} by the loss, unlike in "
        "the first step",
        hint="Where that changes from step to step, or from rank to rank, set "
        "train.find_unused_parameters=true (with train.strategy=ddp).",
        exit_code=EXIT_FAILED,
    )


def _is_a(thing: object, module: str, name: str) -> bool:
    found = sys.modules.get(module)
    return found is not None and isinstance(thing, getattr(found, name))


def is_sharded(network: nn.Module) -> bool:
    """Return whether a network is FSDP's."""
    return _is_a(network, "torch.distributed.fsdp", "FSDPModule")


def set_gradient_sync(network: nn.Module, enabled: bool) -> None:
    """Turn the gradient sync of a sharded network on or off."""
    cast(Any, network).set_requires_gradient_sync(enabled)


def sync_gradients(network: nn.Module, enabled: bool) -> AbstractContextManager[None]:
    """Sync the gradients of a backward pass over the ranks, or leave that to a later one."""
    if is_sharded(network):
        set_gradient_sync(network, enabled)
    elif isinstance(network, DistributedDataParallel) and not enabled:
        unsynced: AbstractContextManager[None] = network.no_sync()
        return unsynced
    return nullcontext()


def full_tensor(number: Tensor) -> Tensor:
    """Return a tensor, gathered from all ranks if it is sharded."""
    if _is_a(number, "torch.distributed.tensor", "DTensor"):
        return cast(Tensor, cast(Any, number).full_tensor())
    return number
