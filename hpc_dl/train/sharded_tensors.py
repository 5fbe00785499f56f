"""What FSDP divides over the ranks, told without importing FSDP.

That import takes longer than all others of a job together but torch's own, and most jobs divide
nothing: where torch's modules have not been imported, nothing can be one of theirs.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any, cast

from torch import Tensor, nn
from torch.nn.parallel import DistributedDataParallel


def _is_a(thing: object, module: str, name: str) -> bool:
    found = sys.modules.get(module)
    return found is not None and isinstance(thing, getattr(found, name))


def is_divided(network: nn.Module) -> bool:
    """Whether FSDP has divided a network: it is torch's FSDPModule then."""
    return _is_a(network, "torch.distributed.fsdp", "FSDPModule")


def sum_up(network: nn.Module, now: bool) -> None:
    """Have the backward passes of a divided network sum up its gradients over the ranks, or not."""
    cast(Any, network).set_requires_gradient_sync(now)


@contextmanager
def summed_up(network: nn.Module, now: bool) -> Iterator[None]:
    """Sum up a backward pass's gradients over the ranks, or leave that for a later one."""
    if is_divided(network):
        sum_up(network, now)
        yield
    elif isinstance(network, DistributedDataParallel) and not now:
        with network.no_sync():
            yield
    else:
        yield


def whole(number: Tensor) -> Tensor:
    """A tensor that may be divided, as every rank needs it."""
    if _is_a(number, "torch.distributed.tensor", "DTensor"):
        return cast(Tensor, cast(Any, number).full_tensor())
    return number


def failures(error: BaseException) -> Mapping[int, tuple[BaseException, Any]]:
    """What went wrong on which rank, of an error of torch.distributed.checkpoint; or nothing."""
    if _is_a(error, "torch.distributed.checkpoint.api", "CheckpointException"):
        return cast(Mapping[int, tuple[BaseException, Any]], cast(Any, error).failures)
    return {}
