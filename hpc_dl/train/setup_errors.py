"""Turn errors of NCCL and gloo with a known cause into errors with a hint.

The library's message is kept: what it has seen is nowhere else.
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
def explained(*, connecting: bool = False) -> Iterator[None]:
    """Raise UserError in place of an error whose cause is known.

    While the ranks are `connecting`, that is any error of NCCL or gloo but the loss of another
    rank: a restart of the job would lead to the same.
    """
    try:
        yield
    except RuntimeError as error:  # the class of torch's errors of distributed training
        better = explain(error, connecting=connecting)
        if better is None:
            raise
        raise better from error


def explain(error: BaseException, *, connecting: bool) -> UserError | None:
    """Return the error with a hint; None if its cause is not known."""
    if isinstance(error, UserError):
        return None
    here = socket.gethostname()
    if _matches(_NO_MEMORY, error):
        return _error(f"{SHARED_MEMORY} of {here} has no room ({_free()})", error, _LESS_MEMORY)
    if _matches(_DUPLICATE, error):
        return _error("two ranks have the same GPU", error, ONE_EACH)
    return _explain_connecting(error, here) if connecting else None


def _explain_connecting(error: BaseException, here: str) -> UserError | None:
    if _matches(_NO_INTERFACE, error):
        there = f"There are: {', '.join(address.interfaces())}. {_INTERFACE}"
        return _error(f"the network interface asked for is not on {here}", error, there)
    if _matches(_NO_ROUTE, error):
        return _error(f"{here} cannot reach the node of another rank", error, _INTERFACE)
    if _matches("nccl|gloo", error) and not is_lost_peer(error):
        return _error("the ranks could not be connected", error, _MORE)
    return None


def _matches(pattern: str, error: BaseException) -> bool:
    return re.search(pattern, str(error), re.IGNORECASE) is not None


def _free() -> str:
    try:
        usage = shutil.disk_usage(SHARED_MEMORY)
    except OSError as error:
        return str(error.strerror)
    return f"{usage.free / _GIB:.2f} of {usage.total / _GIB:.2f} GiB free"


def _error(what: str, error: BaseException, hint: str) -> UserError:
    return UserError(f"{what}: {first_line(error)}", hint=hint, exit_code=EXIT_CLUSTER)
