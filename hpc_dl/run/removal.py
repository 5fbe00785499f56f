"""The size of a folder on disk, and its removal: a killed one leaves it whole, or gone."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

from hpc_dl.run.layout import RunDir

_PREFIX = ".removing-"
"""Of the name of a folder that is being removed."""


def disk_bytes(folder: Path) -> int:
    """Return the bytes on disk of all files below a folder; a file with several names counts once.

    What cannot be read counts nothing, nor does what links lead to.
    """
    return disk_bytes_of([folder])


def disk_bytes_of(folders: list[Path], kept: list[Path] | None = None) -> int:
    """Return the bytes on disk that the removal of folders frees: files that have a name in those
    that are `kept`, too, free none."""
    found = _sizes(folders)
    for it in _sizes(kept or []):
        found.pop(it, None)
    return sum(found.values())


def _sizes(folders: list[Path]) -> dict[tuple[int, int], int]:
    sizes = dict[tuple[int, int], int]()
    for folder in folders:
        for parent, _, names in os.walk(folder):
            for name in names:
                try:
                    found = Path(parent, name).lstat()
                except OSError:
                    continue
                sizes[found.st_dev, found.st_ino] = found.st_blocks * 512
    return sizes


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
