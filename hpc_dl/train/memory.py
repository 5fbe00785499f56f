"""Running out of memory: which errors mean it, what was asked for, what there was, what to do.

What the ranks train on and evaluate can be divided: `fitting` finds out by trying how much fits.
"""

from __future__ import annotations

import contextlib
import errno
import re
import socket
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TypeVar

import psutil
import torch

from hpc_dl.errors import EXIT_FAILED, UserError

T = TypeVar("T")
GIB = 2**30
KINDS = (RuntimeError, MemoryError, OSError)
"""The classes of all errors that may mean it."""

_OF_THE_DEVICE = re.compile(
    r"(CUDA|HIP|NCCL).*out of memory"  # also of the driver, and `unhandled cuda error`
    r"|CU\w+_STATUS_(INTERNAL_ERROR_DEVICE_)?ALLOC(ATION)?_FAILED"  # cuBLAS, cuDNN, cuSPARSE ...
    r"|CUDNN_STATUS_NOT_SUPPORTED.*workspace",
    re.DOTALL | re.IGNORECASE,
)
_OF_MAIN_MEMORY = re.compile(
    r"DefaultCPUAllocator: (can't allocate|not enough) memory"
    r"|std::bad_alloc"
    r"|HOST_ALLOCATION_FAILED"
    r"|Cannot allocate memory"
)
_AMOUNTS = (
    re.compile(r"[Tt]ried to allocate ([\d.]+ \wiB)"),
    re.compile(r"Unable to allocate ([\d.]+ \wiB)"),
    re.compile(r"(?:tried to allocate|unable to mmap) (\d+) bytes"),
)


@dataclass(frozen=True)
class Phase:
    """A part of a run whose need for memory is not that of a batch."""

    doing: str
    hint: str


_HOST = "More main memory (resources.mem)"
LOADING = Phase(
    "loading the data", f"{_HOST}, or fewer ranks a node; data.loading=streaming for pictures."
)
MOVING = Phase(
    "moving the data to the device",
    "See with nvidia-smi whether another process uses this GPU; else a GPU with more memory.",
)
BUILDING = Phase(
    "building the networks and their optimizers",
    "A smaller model, a GPU with more memory, or several with train.strategy=fsdp.",
)
RESUMING = Phase("loading a checkpoint", f"{_HOST}, or a GPU with more memory.")
SAVING = Phase("saving a checkpoint", f"{_HOST}: what is written is first copied there.")
EXPORTING = Phase("exporting the trained network", f"{_HOST}; `hpcdl submit` again finishes it.")


def ran_out(error: BaseException) -> bool:
    """Whether an error says that there is no memory left, on the GPU or in main memory."""
    is_torchs = isinstance(error, torch.OutOfMemoryError)
    return is_torchs or of_main_memory(error) or bool(_OF_THE_DEVICE.search(str(error)))


def of_main_memory(error: BaseException) -> bool:
    """Whether an error says that there is no main memory left."""
    if isinstance(error, MemoryError):
        return True
    if isinstance(error, OSError):  # of a process that could not be forked, or a file not mapped
        return error.errno == errno.ENOMEM
    return _OF_MAIN_MEMORY.search(str(error)) is not None


@contextlib.contextmanager
def during(phase: Phase, device: torch.device) -> Iterator[None]:
    """Have an error say in which phase memory ran out, and what to do there."""
    try:
        yield
    except KINDS as error:
        if not ran_out(error):
            raise
        raise explain(error, device, phase.doing, phase.hint) from None


def attempt(work: Callable[[], T], explained: Callable[[Exception], UserError]) -> T:
    """What `work` returns; where memory runs out, `explained` is called, and its error raised."""
    try:
        return work()
    except KINDS as error:
        if not ran_out(error):
            raise
        problem = error.with_traceback(None)  # whose frames hold the memory
    problem.__context__ = None
    raise explained(problem)


def release() -> None:
    """Give the GPU's memory back that torch holds and nothing uses; nothing without a GPU."""
    with contextlib.suppress(RuntimeError):  # of a GPU that has failed
        torch.cuda.empty_cache()


def explain(error: BaseException, device: torch.device, doing: str, hint: str) -> UserError:
    """The error for people, with what was asked for and what there was."""
    host, place = socket.gethostname(), device
    what = f"memory on {device} of {host}"
    if of_main_memory(error) and device.type != "cpu":
        what, place = f"main memory on {host}", torch.device("cpu")
    return UserError(
        f"out of {what} while {doing}: {_asked(error)} asked for, {_there(place)}",
        hint=hint,
        exit_code=EXIT_FAILED,
    )


def _asked(error: BaseException) -> str:
    found = next(filter(None, (it.search(str(error)) for it in _AMOUNTS)), None)
    if found is None:
        return "more"
    return f"{int(found[1]) / GIB:.2f} GiB" if found[1].isdecimal() else found[1]


def _there(device: torch.device) -> str:
    held = f"{psutil.Process().memory_info().rss / GIB:.2f} GiB held by this rank"
    if device.type == "cuda":
        with contextlib.suppress(RuntimeError):  # it may be too full to answer
            free, total = torch.cuda.mem_get_info(device)
            most = torch.cuda.max_memory_allocated(device)
            return (
                f"{free / GIB:.2f} of {total / GIB:.1f} GiB free, {most / GIB:.2f} GiB held at most"
            )
        return "none left"
    return held
