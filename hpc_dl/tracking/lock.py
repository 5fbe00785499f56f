"""File locks between processes; the file names the process that holds the lock."""

from __future__ import annotations

import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TextIO

from hpc_dl.errors import EXIT_FAILED, UserError
from hpc_dl.run import waiting

POLL_SECONDS = 0.05
"""Between two attempts to get a lock."""


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
    if not waiting.lock(file.fileno(), timeout, POLL_SECONDS):
        file.seek(0)
        raise LockTimeout(
            f"{message}: {file.read() or 'an unknown process'}",
            hint="Try again in a moment; nothing is lost.",
            exit_code=EXIT_FAILED,
        )
