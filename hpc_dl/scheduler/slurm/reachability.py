"""Since when the cluster has not answered: a note of this user's, for the next one who asks."""

from __future__ import annotations

import contextlib
import os
import time
from pathlib import Path

from platformdirs import user_cache_dir


def missed() -> float:
    """The cluster does not answer; since when, in seconds since 1970."""
    note = _note()
    with contextlib.suppress(OSError):
        note.parent.mkdir(parents=True, exist_ok=True)
        note.touch(exist_ok=False)
    try:
        return note.stat().st_mtime
    except OSError:  # a home without room for it
        return time.time()


def answered() -> None:
    """The cluster answers."""
    with contextlib.suppress(OSError):
        _note().unlink(missing_ok=True)


def _note() -> Path:
    return Path(user_cache_dir("hpcdl")) / f"unreachable-from-{os.uname().nodename}"
