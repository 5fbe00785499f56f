"""Locks between processes: a file that one of them holds, and that says which."""

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

LOOK_AGAIN = 0.05
"""Seconds between two attempts."""
_UNSUPPORTED = frozenset({errno.ENOLCK, errno.ENOSYS, errno.EOPNOTSUPP})
"""What file systems without locks answer, as Lustre often is; two at once then only waste work."""


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
    until = time.monotonic() + patience
    while True:
        try:
            return fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if time.monotonic() >= until:
                file.seek(0)
                raise Held(
                    f"{complaint}: {file.read() or 'it does not say which'}",
                    hint="Try again in a moment; nothing is lost.",
                    exit_code=EXIT_FAILED,
                ) from None
            time.sleep(LOOK_AGAIN)
        except OSError as error:
            if error.errno not in _UNSUPPORTED:
                raise
            return None
