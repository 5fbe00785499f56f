"""Files known by size and time, and notes in a cache of those that have passed a check."""

from __future__ import annotations

import contextlib
import hashlib
import os
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

Stamped = tuple[tuple[Path, tuple[int, ...]], ...]
"""Files, and the size and times that each had."""


def check_once(check: Callable[[], object], way: str, files: Sequence[Path], cache: Path) -> None:
    """Call `check`, unless it has passed already on these files as they are; `cache` notes that.

    `way` says how the files are checked.
    """
    note = cache / f"{digest(way, files)}.checked"
    if note.exists():
        return
    check()
    with contextlib.suppress(OSError):  # a cache that cannot be written costs only time
        cache.mkdir(parents=True, exist_ok=True)
        note.touch()


def digest(way: str, files: Sequence[Path]) -> str:
    """Return a digest of the paths, sizes and times of files, and of the way they are read."""
    found = hashlib.sha256(way.encode())
    with ThreadPoolExecutor() as pool:  # a network's disk answers many at a time
        for file, stamp in zip(files, pool.map(stamps, files), strict=True):
            found.update(os.fsencode(file) + repr(stamp).encode())
    return found.hexdigest()[:32]


def stamped(files: Sequence[Path]) -> Stamped:
    """Return files with their stamps now."""
    return tuple((file, stamps(file)) for file in files)


def stamps(file: Path) -> tuple[int, ...]:
    """Return size, mtime and ctime; the last changes where a copy is given the former's mtime.

    Nothing of a file that is gone.
    """
    try:
        state = file.stat()
    except OSError:
        return ()
    return state.st_size, state.st_mtime_ns, state.st_ctime_ns
