"""Running out of memory: what was asked for, what there was, and how much at once would fit."""

from __future__ import annotations

import contextlib
import re
import socket
from collections.abc import Mapping, Sequence

import psutil
import torch
from torch import nn

from hpc_dl.errors import EXIT_FAILED, UserError
from hpc_dl.zoo.contract import Architecture, Batch, part

GIB = 2**30
_OF_THE_CPU = re.compile(r"can't allocate memory: you tried to allocate (\d+) bytes")
_OF_A_GPU = re.compile(r"Tried to allocate ([\d.]+ \wiB)")


def ran_out(error: BaseException) -> bool:
    """Whether an error says that there is no memory left, on the GPU or in main memory."""
    is_ours = isinstance(error, torch.OutOfMemoryError | MemoryError)
    return is_ours or _OF_THE_CPU.search(str(error)) is not None


def explain(
    error: BaseException, device: torch.device, tried: int, fits: int, *, mixes: bool = False
) -> UserError:
    """The error for people; `tried` and `fits` are in examples that a rank computes at once.

    `mixes` says that the network has batch norm, and what it gives depends on that number.
    """
    result = "other statistics of batch norm" if mixes else "the same result"
    advice = (
        f"train.micro_batch={fits} fits: the step is then computed in parts, with {result}"
        if fits
        else "Not even one example fits: a smaller model, or more memory (resources.mem, other GPU)"
    )
    if fits and mixes:
        advice += ", which more ranks and train.sync_batch_norm=true leave as they are"
    return UserError(
        f"out of memory on {device} of {socket.gethostname()} at {tried} examples at once: "
        f"{_asked(error)} asked for, {_there(device)}",
        hint=f"{advice}.",
        exit_code=EXIT_FAILED,
    )


def fitting(
    architecture: Architecture, nets: Mapping[str, nn.Module], batch: Batch, turns: Sequence[str]
) -> int:
    """The most examples of `batch`, of its halves, quarters ..., that a pass takes; 0 if none does.

    Found by trying, on bare networks: the other ranks may be gone.
    """
    count = len(batch["index"]) // 2
    while count:
        if _passes(architecture, nets, part(batch, slice(count)), turns):
            return count
        count //= 2
    return 0


def _passes(
    architecture: Architecture, nets: Mapping[str, nn.Module], batch: Batch, turns: Sequence[str]
) -> bool:
    try:
        for player in turns:
            architecture.loss(nets, batch, player).total.backward()
    except (RuntimeError, MemoryError) as error:
        if not ran_out(error):
            raise
        return False
    finally:
        for net in nets.values():
            net.zero_grad()
        with contextlib.suppress(RuntimeError):
            torch.cuda.empty_cache()
    return True


def _asked(error: BaseException) -> str:
    if found := _OF_THE_CPU.search(str(error)):
        return f"{int(found[1]) / GIB:.2f} GiB"
    found = _OF_A_GPU.search(str(error))
    return found[1] if found else "more"


def _there(device: torch.device) -> str:
    if device.type == "cuda":
        free, total = torch.cuda.mem_get_info(device)
        held = torch.cuda.max_memory_allocated(device)
        return f"{free / GIB:.2f} of {total / GIB:.1f} GiB free, {held / GIB:.2f} GiB held at most"
    held = psutil.Process().memory_info().rss
    return f"{held / GIB:.2f} GiB held by this rank"
