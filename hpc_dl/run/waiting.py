"""Waiting for other processes: until a condition is true, or until a file's lock is free."""

from __future__ import annotations

import contextlib
import fcntl
import os
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TypeVar

T = TypeVar("T")


def wait_until(condition: Callable[[], T], seconds: float, pause: float = 0.2) -> T:
    """Return the condition's first true value, or its last one when the time is over."""
    deadline = time.monotonic() + seconds
    while not (value := condition()) and time.monotonic() < deadline:
        time.sleep(pause)
    return value


def try_lock(descriptor: int, *, shared: bool = False) -> bool | None:
    """Lock an open file or folder until it is closed, without waiting; return whether it was free.

    None where the file system has no locks, as Lustre often is.
    """
    kind = fcntl.LOCK_SH if shared else fcntl.LOCK_EX
    try:
        fcntl.flock(descriptor, kind | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except OSError:
        return None
    return True


def lock(descriptor: int, seconds: float, pause: float = 0.05) -> bool:
    """Lock an open file or folder; return whether nobody else had it for so many seconds.

    On a file system without locks everybody gets it.
    """
    return wait_until(lambda: try_lock(descriptor) is not False, seconds, pause)


@contextlib.contextmanager
def locked(path: Path, seconds: float = 0) -> Iterator[bool]:
    """Lock a file or folder for as long as the context lasts; yield what `lock` returns.

    NFS locks only what is open for writing, and so no folder.
    """
    mode = os.O_RDWR if path.is_file() else os.O_RDONLY
    descriptor = os.open(path, mode | os.O_NONBLOCK)  # to open a pipe would wait
    try:
        yield lock(descriptor, seconds)
    finally:
        os.close(descriptor)
