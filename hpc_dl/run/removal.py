"""What folders take on disk, and their removal: a killed one leaves a folder whole, or gone."""

from __future__ import annotations

import contextlib
import os
import shutil
from collections import Counter
from collections.abc import Iterable, Iterator
from pathlib import Path

from hpc_dl.run.layout import RunDir

_PREFIX = ".removing-"
"""Of the name of a folder that is being removed."""


def freed_bytes(folders: Iterable[Path]) -> int:
    """Return the bytes on disk that the removal of some folders frees: those of files that have no
    other name elsewhere, once each.

    What cannot be read counts nothing, nor does what symbolic links lead to.
    """
    found: dict[tuple[int, int], os.stat_result] = {}
    names = Counter[tuple[int, int]]()
    for it in (it for folder in folders for it in _files_below(folder)):
        found[it.st_dev, it.st_ino] = it
        names[it.st_dev, it.st_ino] += 1
    return sum(it.st_blocks * 512 for key, it in found.items() if it.st_nlink <= names[key])


def _files_below(folder: Path) -> Iterator[os.stat_result]:
    for parent, _, names in os.walk(folder):
        for name in names:
            with contextlib.suppress(OSError):
                yield Path(parent, name).lstat()


def remove(run: RunDir) -> None:
    """Remove a run folder, or a link to one with what it leads to."""
    if run.path.is_symlink():
        remove_folder(run.path.resolve())
        run.path.unlink()
    else:
        remove_folder(run.path)


def remove_folder(folder: Path) -> None:
    """Remove a folder, which has another name from the first moment on.

    What a killed removal leaves is in `leftovers`, and goes with the next one.
    """
    gone = folder.with_name(f"{_PREFIX}{folder.name}")
    if gone.exists():
        shutil.rmtree(gone)
    folder.rename(gone)
    shutil.rmtree(gone)


def leftovers(parent: Path) -> list[Path]:
    """Return the folders whose removal was begun, and not finished."""
    return sorted(it for it in parent.glob(f"{_PREFIX}*") if it.is_dir())
