"""A temporary folder for each rank, removed at its end with all that libraries left there.

torch_geometric, for one, writes a module for every type of layer and never removes it. The folder
is on the node's temporary disk. TMPDIR itself is not changed: a site or a user may keep data there.
"""

from __future__ import annotations

import contextlib
import glob
import hashlib
import os
import re
import shutil
import tempfile
from collections.abc import Iterable, Iterator
from pathlib import Path

from hpc_dl.run.layout import RunDir
from hpc_dl.run.rank_info import RankInfo
from hpc_dl.run.waiting import try_lock


@contextlib.contextmanager
def temporary_folder(run: RunDir, rank_info: RankInfo) -> Iterator[None]:
    """Keep this process's temporary files in a folder that is removed at the end.

    Folders that a killed attempt left on this node are removed first. A folder in use is locked,
    for another job may train here. After an error the other ranks of the node are killed, and their
    folders are removed too.
    """
    prefix, former = _prefix(run), tempfile.tempdir
    attempt = f"{prefix}{rank_info.attempt}-"
    if rank_info.local_rank == 0:
        others = (it for it in _beginning_with(prefix) if not str(it).startswith(attempt))
        _remove(it for it in others if _is_unused(it))
    mine = Path(f"{attempt}{rank_info.rank}")
    try:
        mine.mkdir(mode=0o700)
        lock = os.open(mine, os.O_RDONLY)
    except OSError:  # a full disk, or another user's folder: continue without
        yield
        return
    tempfile.tempdir = str(mine)
    try:
        try_lock(lock, shared=True)
        yield
    except BaseException:
        _remove(_beginning_with(attempt))
        raise
    finally:
        tempfile.tempdir = former
        os.close(lock)
        _remove([mine])


def unused() -> list[Path]:
    """Return the folders of all runs that no process on this node uses."""
    found = _beginning_with(str(Path(tempfile.gettempdir()) / "hpcdl-"))
    return [it for it in found if _NAME.fullmatch(it.name) and _is_unused(it)]


_NAME = re.compile(r"hpcdl-[0-9a-f]{12}-.+-\d+")


def _prefix(run: RunDir) -> str:
    """Return the prefix of all folders of a run; short, since paths of sockets have 107 bytes."""
    digest = hashlib.sha256(os.fsencode(run.path.resolve())).hexdigest()[:12]
    return str(Path(tempfile.gettempdir()) / f"hpcdl-{digest}-")


def _beginning_with(prefix: str) -> list[Path]:
    return list(Path(prefix).parent.glob(f"{glob.escape(Path(prefix).name)}*"))


def _is_unused(folder: Path) -> bool:
    try:
        lock = os.open(folder, os.O_RDONLY)
    except OSError:
        return False
    try:
        return try_lock(lock) is True
    finally:
        os.close(lock)


def _remove(folders: Iterable[Path]) -> None:
    for folder in folders:
        shutil.rmtree(folder, ignore_errors=True)
