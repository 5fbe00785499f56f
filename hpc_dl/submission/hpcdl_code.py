"""hpcdl's own code: its digest, and the copy of it that the jobs of a run import.

The copy is made at submission. So neither an edit of a checkout nor a new version changes what a
job runs that waits, is requeued or resumed. Runs of the same code share one copy, beside them; each
has a link to it.
"""

from __future__ import annotations

import contextlib
import functools
import hashlib
import os
import re
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import hpc_dl
from hpc_dl.run.layout import PRIVATE, RunDir, make_folder

_NAME = "hpc_dl"
_SUFFIXES = {".py", ".yaml", ".txt", ".typed"}
"""Of the package's files; whatever else lies beside them in a checkout is none."""


@dataclass(frozen=True)
class Code:
    """A version of hpcdl; of one that is edited the version stays, and the digest does not."""

    version: str
    digest: str
    """SHA-256 of the names and contents of its files."""

    def __str__(self) -> str:
        return f"{self.version} ({self.digest[:12]})"


def package() -> Path:
    """Return the folder that this process has imported hpcdl from."""
    return Path(hpc_dl.__file__).parent


def current() -> Code:
    """Return the code that this process runs."""
    return Code(hpc_dl.__version__, _digest(_files(package())))


def freeze(run: RunDir) -> None:
    """Link a run to a copy of the code of this process, which is made if there is none yet."""
    files = _files(package())
    copy = store(run.root) / _digest(files)
    _link(run, copy)  # first: a copy with a link is nobody's to remove
    if not _is_whole(copy / _NAME, files):
        _write(files, copy)


def frozen(run: RunDir) -> Code | None:
    """Return the code that the jobs of a run import; None without a copy, or if it is damaged."""
    folder = run.hpcdl.resolve()
    try:
        files = _read(folder / _NAME)
    except OSError:
        return None
    version = re.search(rb'__version__ = "(.+)"', files.get("__init__.py", b""))
    if version is None or _digest(files) != folder.name:
        return None
    return Code(version[1].decode(), folder.name)


def changed_files(run: RunDir) -> list[str]:
    """Return the files that differ between the copy of a run and the code of this process."""
    then, now = _read(run.hpcdl / _NAME), _files(package())
    return sorted(it for it in then.keys() | now.keys() if then.get(it) != now.get(it))


def python_path(folder: Path, environment: Mapping[str, str]) -> dict[str, str]:
    """Return the variable by which a process imports hpcdl from a copy, and the rest as before."""
    others = environment.get("PYTHONPATH")
    return {"PYTHONPATH": os.pathsep.join(filter(None, [str(folder), others]))}


def store(root: Path) -> Path:
    """Return the folder of this user's copies for the runs in `root`, where others may have runs
    too: nobody runs what another user can write."""
    return root / f".code.{os.geteuid()}"


def unreferenced(root: Path) -> list[Path]:
    """Return the copies, also half made ones, to which no run in `root` has a link any more."""
    links = (it for it in root.glob(f"*/{RunDir(root).hpcdl.name}") if it.is_symlink())
    used = {it.readlink().name for it in links}
    folder = store(root)
    found = folder.iterdir() if folder.is_dir() else ()
    return sorted(it for it in found if it.name.partition(".")[0] not in used)


def remove_unreferenced(root: Path) -> None:
    """Remove the copies to which no run has a link any more."""
    for copy in unreferenced(root):
        shutil.rmtree(copy, ignore_errors=True)


@functools.cache
def _files(folder: Path) -> dict[str, bytes]:
    """Return the files of the running package, read once: later edits are not what was imported."""
    return _read(folder)


def _read(folder: Path) -> dict[str, bytes]:
    """Return the contents of a package's files by their paths in it."""
    found = {}
    for parent, folders, names in os.walk(folder, followlinks=True):  # a checkout has links
        folders[:] = sorted(it for it in folders if it != "__pycache__")
        for name in sorted(names):
            path = Path(parent, name)
            if path.suffix in _SUFFIXES and not name.startswith("."):  # an editor's
                found[path.relative_to(folder).as_posix()] = path.read_bytes()
    return found


def _digest(files: Mapping[str, bytes]) -> str:
    whole = hashlib.sha256()
    for name in sorted(files):
        whole.update(f"{name}\0".encode() + hashlib.sha256(files[name]).digest())
    return whole.hexdigest()


def _link(run: RunDir, copy: Path) -> None:
    """Point the run's link at a copy; it is relative, so that the folder of all runs can move."""
    target = os.path.relpath(copy.parent.resolve() / copy.name, run.path.resolve())
    fresh = run.hpcdl.with_name(f".{run.hpcdl.name}.{os.getpid()}.tmp")
    fresh.unlink(missing_ok=True)
    fresh.symlink_to(target)
    fresh.replace(run.hpcdl)


def _is_whole(folder: Path, files: Mapping[str, bytes]) -> bool:
    """Return whether a copy has all files, by their sizes: scratch space is cleared of old ones."""
    try:
        return all((folder / name).stat().st_size == len(it) for name, it in files.items())
    except OSError:
        return False


def _write(files: Mapping[str, bytes], copy: Path) -> None:
    """Write a copy, whole or not at all; in place of a damaged one."""
    if not copy.parent.is_dir():
        with contextlib.suppress(FileExistsError):
            make_folder(copy.parent, PRIVATE)
    half = copy.with_name(f"{copy.name}.{os.getpid()}.tmp")
    shutil.rmtree(half, ignore_errors=True)
    for folder in sorted({(half / _NAME / name).parent for name in files}):
        folder.mkdir(parents=True, exist_ok=True)
    for name, content in files.items():
        path = half / _NAME / name
        path.write_bytes(content)
        path.chmod(0o444)  # an editor that is led there by a traceback says so
    shutil.rmtree(copy, ignore_errors=True)
    try:
        half.rename(copy)
    except OSError:  # another submission has just made it
        shutil.rmtree(half)
        if not _is_whole(copy / _NAME, files):
            raise
