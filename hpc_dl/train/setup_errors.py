"""Errors of NCCL and gloo that have a cause, as errors that say what to do about it.

The library's own words are kept: what it has seen is nowhere else.
"""

from __future__ import annotations

import re
import shutil
import socket
from collections.abc import Iterator
from contextlib import contextmanager

from hpc_dl.errors import EXIT_CLUSTER, UserError
from hpc_dl.run.failure import first_line, is_lost_peer
from hpc_dl.train import address
from hpc_dl.train.devices import ONE_EACH

SHARED_MEMORY = "/dev/shm"
_GIB = 2**30
_NO_MEMORY = (
    r"while creating shared memory segment|posix_fallocate|failed to extend /dev/shm|"
    r"out of shared memory|unable to (write to|allocate shared memory|resize|mmap)\b.*/torch_"
)
_DUPLICATE = "duplicate gpu detected"
_NO_INTERFACE = "no socket interface found|unable to find (address|interface) for"
_NO_ROUTE = (
    "no route to host|network is unreachable|connection timed out|timed out connecting|"
    "connect timeout"
)

_LESS_MEMORY = (
    f"Remove what others have left in {SHARED_MEMORY} (nccl-*, torch_*), or in a container give it "
    "more (--shm-size=8g). `export NCCL_SHM_DISABLE=1` in the site's `setup` has NCCL do without, "
    "more slowly."
)
_INTERFACE = (
    "Name the network between the nodes in the site's file, like `network_interface: ib0`: it "
    "sets NCCL_SOCKET_IFNAME and GLOO_SOCKET_IFNAME."
)
_MORE = (
    "With `export NCCL_DEBUG=INFO` in the site's `setup`, NCCL says in the logs what it was doing."
)


@contextmanager
def explained(*, meeting: bool = False) -> Iterator[None]:
    """Raise UserError in place of an error whose cause is known.

    While the ranks are `meeting`, this goes for whatever NCCL or gloo has to say, unless it is that
    another rank is gone: to start the job again would lead to the same.
    """
    try:
        yield
    except RuntimeError as error:  # what torch's errors of distributed training are
        better = explain(error, meeting=meeting)
        if better is None:
            raise
        raise better from error


def explain(error: BaseException, *, meeting: bool) -> UserError | None:
    """The error for people; None where its own words have to do."""
    if isinstance(error, UserError):
        return None
    here = socket.gethostname()
    if _says(_NO_MEMORY, error):
        return _error(f"{SHARED_MEMORY} of {here} has no room ({_left()})", error, _LESS_MEMORY)
    if _says(_DUPLICATE, error):
        return _error("two ranks have the same GPU", error, ONE_EACH)
    return _while_meeting(error, here) if meeting else None


def _while_meeting(error: BaseException, here: str) -> UserError | None:
    if _says(_NO_INTERFACE, error):
        there = f"There are: {', '.join(address.interfaces())}. {_INTERFACE}"
        return _error(f"the network interface asked for is not on {here}", error, there)
    if _says(_NO_ROUTE, error):
        return _error(f"{here} cannot reach the node of another rank", error, _INTERFACE)
    if _says("nccl|gloo", error) and not is_lost_peer(error):
        return _error("the ranks could not be connected", error, _MORE)
    return None


def _says(words: str, error: BaseException) -> bool:
    return re.search(words, str(error), re.IGNORECASE) is not None


def _left() -> str:
    try:
        usage = shutil.disk_usage(SHARED_MEMORY)
    except OSError as error:
        return str(error.strerror)
    return f"{usage.free / _GIB:.2f} of {usage.total / _GIB:.2f} GiB free"


def _error(what: str, error: BaseException, hint: str) -> UserError:
    return UserError(f"{what}: {first_line(error)}", hint=hint, exit_code=EXIT_CLUSTER)
