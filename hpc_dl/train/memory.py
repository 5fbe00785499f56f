"""Out-of-memory errors: recognise them, and say how much was asked for and free, and a hint."""

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
ERRORS = (RuntimeError, MemoryError, OSError)
"""The classes of all errors that may mean out of memory."""

_GPU_ERROR = re.compile(
    r"(CUDA|HIP|NCCL).*out of memory"  # also the driver's, and `unhandled cuda error`
    r"|CU\w+_STATUS_(INTERNAL_ERROR_DEVICE_)?ALLOC(ATION)?_FAILED"  # cuBLAS, cuDNN, cuSPARSE ...
    r"|CUDNN_STATUS_NOT_SUPPORTED.*workspace",
    re.DOTALL | re.IGNORECASE,
)
_MAIN_MEMORY_ERROR = re.compile(
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
    """A part of a run whose memory does not depend on the batch."""

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


def is_out_of_memory(error: BaseException) -> bool:
    """Return whether an error means that GPU memory or main memory ran out."""
    is_torchs = isinstance(error, torch.OutOfMemoryError)
    return is_torchs or is_out_of_main_memory(error) or bool(_GPU_ERROR.search(str(error)))


def is_out_of_main_memory(error: BaseException) -> bool:
    """Return whether an error means that main memory ran out."""
    if isinstance(error, MemoryError):
        return True
    if isinstance(error, OSError):  # a failed fork or mmap
        return error.errno == errno.ENOMEM
    return _MAIN_MEMORY_ERROR.search(str(error)) is not None


@contextlib.contextmanager
def during(phase: Phase, device: torch.device) -> Iterator[None]:
    """Raise UserError with the phase and its hint if memory runs out."""
    try:
        yield
    except ERRORS as error:
        if not is_out_of_memory(error):
            raise
        raise explain(error, device, phase.doing, phase.hint) from None


def explained(work: Callable[[], T], explain: Callable[[Exception], UserError]) -> T:
    """Return the result of `work`; if memory runs out, raise what `explain` makes of the error."""
    try:
        return work()
    except ERRORS as error:
        if not is_out_of_memory(error):
            raise
        problem = error.with_traceback(None)  # whose frames hold the memory
    problem.__context__ = None
    raise explain(problem)


def release() -> None:
    """Release GPU memory that torch's allocator caches."""
    with contextlib.suppress(RuntimeError):  # the GPU has failed
        torch.cuda.empty_cache()


def explain(error: BaseException, device: torch.device, doing: str, hint: str) -> UserError:
    """Return the error with the amounts asked for and free, and a hint."""
    host, place = socket.gethostname(), device
    what = f"memory on {device} of {host}"
    if is_out_of_main_memory(error) and device.type != "cpu":
        what, place = f"main memory on {host}", torch.device("cpu")
    return UserError(
        f"out of {what} while {doing}: {_requested(error)} asked for, {_available(place)}",
        hint=hint,
        exit_code=EXIT_FAILED,
    )


def _requested(error: BaseException) -> str:
    found = next(filter(None, (it.search(str(error)) for it in _AMOUNTS)), None)
    if found is None:
        return "more"
    return f"{int(found[1]) / GIB:.2f} GiB" if found[1].isdecimal() else found[1]


def _available(device: torch.device) -> str:
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
