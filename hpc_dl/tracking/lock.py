"""Locks between processes: a file that one of them holds, and that says which."""

from __future__ import annotations

import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TextIO

from hpc_dl.errors import EXIT_FAILED, UserError
from hpc_dl.run import waiting

LOOK_AGAIN = 0.05
"""Seconds between two attempts."""


class Held(UserError):
    """Another process has it, and kept it for longer than one was willing to wait."""


@contextmanager
def held(path: Path, complaint: str, patience: float) -> Iterator[None]:
    """Hold the lock file `path` for as long as the context lasts.

    Raises Held, with the complaint and who has it, if nobody lets go within `patience` seconds.
    """
    with path.open("a+", errors="replace") as file:
        _take(file, complaint, patience)
        file.truncate(0)
        file.write(f"process {os.getpid()} on {socket.gethostname()}")
        file.flush()
        yield


def _take(file: TextIO, complaint: str, patience: float) -> None:
    if not waiting.lock(file.fileno(), patience, LOOK_AGAIN):
        file.seek(0)
        raise Held(
            f"{complaint}: {file.read() or 'it does not say which'}",
            hint="Try again in a moment; nothing is lost.",
            exit_code=EXIT_FAILED,
        )
