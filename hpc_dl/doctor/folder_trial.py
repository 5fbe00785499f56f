"""Try out a folder: `python -m hpc_dl.doctor.folder_trial PATH` prints what it found, as JSON."""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import shutil
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path

from hpc_dl.errors import reason
from hpc_dl.run.waiting import try_lock


@dataclass
class Trial:
    """What a folder can do; None where that was not tried, for it cannot be written."""

    path: str
    exists: bool
    fault: str = ""
    """Why it, or the folder that it would be made in, cannot be written."""
    filesystem: str = ""
    mount: str = ""
    free_bytes: int = 0
    free_files: int | None = None
    """None where the file system does not limit them."""
    locks: str | None = None
    """`exclusive`; `none` where it has none; `useless` where two processes get one at a time."""
    record_locks: str | None = None
    """The same, of POSIX's locks, which SQLite takes."""
    clock_ahead: float | None = None
    """By how many seconds this machine's clock is ahead of the file server's."""


def examine(path: Path) -> Trial:
    """Try out a folder; one that is not there is tried out where it would be made."""
    found = Trial(str(path), path.is_dir())
    place = next(it for it in (path, *path.parents) if it.exists())
    if not place.is_dir():
        found.fault = f"{place} is no folder"
        return found
    found.filesystem, found.mount = filesystem(place)
    found.free_bytes = shutil.disk_usage(place).free
    counts = os.statvfs(place)
    found.free_files = counts.f_favail if counts.f_files else None
    try:
        with tempfile.TemporaryDirectory(prefix=".doctor", dir=place) as folder:
            file = Path(folder, "file")
            before = time.time()
            file.write_text("hpcdl doctor")
            found.clock_ahead = (before + time.time()) / 2 - file.stat().st_mtime
            found.locks, found.record_locks = locks(file), record_locks(file)
    except OSError as error:
        found.fault = reason(error)
    return found


def filesystem(path: Path) -> tuple[str, str]:
    """Return the type of a folder's file system, and where it is mounted."""
    import psutil

    real, best = path.resolve(), ("", "")
    for it in psutil.disk_partitions(all=True):
        # of several mounts at one place the last one counts
        if real.is_relative_to(it.mountpoint) and len(it.mountpoint) >= len(best[1]):
            best = (it.fstype, it.mountpoint)
    return best


def locks(file: Path) -> str:
    """Lock a file twice, by flock."""
    with file.open("r+") as first, file.open("r+") as second:
        return judge(try_lock(first.fileno()), lambda: try_lock(second.fileno()))


def record_locks(file: Path) -> str:
    """Lock a file in this process and in a child, by POSIX's locks, which a process has."""
    with file.open("r+") as first:
        return judge(try_record_lock(first.fileno()), lambda: _in_child(file))


def judge(first: bool | None, second: Callable[[], bool | None]) -> str:
    """Return what two locks of one file, None where there are no locks, tell of the file system."""
    if not first:
        return "none"
    return "exclusive" if second() is False else "useless"


def try_record_lock(descriptor: int) -> bool | None:
    """Lock an open file for this process by POSIX's locks; return as `try_lock` does."""
    try:
        fcntl.lockf(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except (BlockingIOError, PermissionError):
        return False
    except OSError:
        return None
    return True


def _in_child(file: Path) -> bool | None:
    child = os.fork()
    if child == 0:
        code = 2
        with contextlib.suppress(BaseException), file.open("r+") as again:
            code = {True: 1, False: 0, None: 2}[try_record_lock(again.fileno())]
        os._exit(code)
    code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    return {0: False, 1: True}.get(code)


if __name__ == "__main__":
    sys.stdout.write(json.dumps(asdict(examine(Path(sys.argv[1])))) + "\n")
