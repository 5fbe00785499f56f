"""File locks between processes; the file names the process that holds the lock."""

from __future__ import annotations

import errno
import fcntl
import os
import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TextIO

from hpc_dl.errors import EXIT_FAILED, UserError

POLL_SECONDS = 0.05
"""Between two attempts to get a lock."""
_UNSUPPORTED = frozenset({errno.ENOLCK, errno.ENOSYS, errno.EOPNOTSUPP})
"""Errors of file systems without locks, such as many a Lustre. We go on unlocked: two processes at
once then only do the same work twice."""


class LockTimeout(UserError):
    """Another process kept the lock for longer than the time-out."""


@contextmanager
def acquire(path: Path, message: str, timeout: float) -> Iterator[None]:
    """Hold the lock file `path` as long as the context lasts.

    Raises LockTimeout, with the message and the holder, after `timeout` seconds.
    """
    with path.open("a+", errors="replace") as file:
        _wait_for_lock(file, message, timeout)
        file.truncate(0)
        file.write(f"process {os.getpid()} on {socket.gethostname()}")
        file.flush()
        yield


def _wait_for_lock(file: TextIO, message: str, timeout: float) -> None:
    deadline = time.monotonic() + timeout
    while True:
        try:
            return fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if time.monotonic() >= deadline:
                file.seek(0)
                raise LockTimeout(
                    f"{message}: {file.read() or 'an unknown process'}",
                    hint="Try again in a moment; nothing is lost.",
                    exit_code=EXIT_FAILED,
                ) from None
            time.sleep(POLL_SECONDS)
        except OSError as error:
            if error.errno not in _UNSUPPORTED:
                raise
            return None
