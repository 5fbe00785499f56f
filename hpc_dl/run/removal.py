"""The size of a run folder on disk, and its removal."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

from hpc_dl.run.layout import RunDir


def disk_bytes(folder: Path) -> int:
    """Return the bytes on disk of all files below a folder; a file with several names counts once.

    What cannot be read counts nothing, nor does what links lead to.
    """
    sizes = dict[tuple[int, int], int]()
    for parent, _, names in os.walk(folder):
        for name in names:
            try:
                found = Path(parent, name).lstat()
            except OSError:
                continue
            sizes[found.st_dev, found.st_ino] = found.st_blocks * 512
    return sum(sizes.values())


def remove(run: RunDir) -> None:
    """Remove a run folder. Interrupted, it is still a run, which can be removed again.

    The files by which it is known go last.
    """
    known = [run.plan, run.tracking_uri, run.tracking, run.submission, run.journal, run.spec]
    for path in sorted(run.path.iterdir()):
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path)
        elif path not in known:
            path.unlink()
    for path in known:
        path.unlink(missing_ok=True)
    if run.path.is_symlink():
        run.path.unlink()
    else:
        run.path.rmdir()
