"""Checkpoint files: complete or absent, with sizes and checksums.

A checkpoint is a folder `step-NUMBER` with the state and a manifest. It is written under a
temporary name, synced to the disk, and renamed. The best one is kept as `best-NUMBER`, too, by hard
links.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import torch
from pydantic import BaseModel, ValidationError

from hpc_dl.run.layout import sync_folder

STATE, SHARDS, MANIFEST = "state.pt", "shards", "manifest.json"


class _File(BaseModel):
    bytes: int
    sha256: str


class _Manifest(BaseModel):
    """The files of a checkpoint by name."""

    files: dict[str, _File]


def candidates(folder: Path) -> list[tuple[int, Path]]:
    """Return all checkpoints with their steps, the newest first."""
    found = [*of_kind(folder, "best"), *of_kind(folder, "step")]
    return sorted(found, key=lambda pair: pair[0], reverse=True)


def remove_from(folder: Path, step: int) -> None:
    """Remove the checkpoints of `step` and later ones."""
    for at, path in candidates(folder):
        if at >= step:
            remove(path)


def best(folder: Path) -> Path | None:
    """Return the best checkpoint, if one was kept."""
    return max((path for _, path in of_kind(folder, "best")), default=None)


def step_of(path: Path) -> int:
    """Return the step of a checkpoint, by the name of its folder."""
    return int(path.name.rpartition("-")[2])


def newest_intact(folder: Path, on_damage: Callable[[str], None]) -> Path | None:
    """Return the newest intact checkpoint; `on_damage` is called with a message for others."""
    for _, path in candidates(folder):
        fault = damage(path)
        if fault is None:
            return path
        on_damage(f"checkpoint {path.name} is damaged, so the one before it is used: {fault}")
    return None


def damage(path: Path) -> str | None:
    """Return what is wrong with a checkpoint, or None if it is intact."""
    try:
        manifest = _Manifest.model_validate(json.loads((path / MANIFEST).read_bytes()))
        for name, entry in manifest.files.items():
            size = (path / name).stat().st_size
            if size != entry.bytes:
                return f"{name} has {size} bytes instead of {entry.bytes}"
            if _sha256(path / name) != entry.sha256:
                return f"{name} has another checksum than when it was written"
    except ValidationError as error:
        return f"{MANIFEST} is not valid: {error.errors()[0]['msg']}"
    except (OSError, ValueError, RecursionError) as error:
        return f"{type(error).__name__}: {error}"
    return None if STATE in manifest.files else f"{MANIFEST} does not list {STATE}"


def load(path: Path, *, mapped: bool = False) -> dict[str, Any]:
    """Load the state of a checkpoint; only tensors and plain values are unpickled.

    Tensors that are `mapped` stay in the file until they are copied: main memory may have no room
    for a second state.
    """
    state: dict[str, Any] = torch.load(
        path / STATE, map_location="cpu", mmap=mapped, weights_only=True
    )
    return state


def temporary_path(folder: Path, step: int) -> Path:
    """Return the folder in which a checkpoint is written before it is complete."""
    return folder / f".step-{step:08d}.tmp"


def write(folder: Path, step: int, state: dict[str, Any], check: Callable[[], None]) -> Path:
    """Write a checkpoint, beside shards that may be there already; `check` may end the process."""
    target, unfinished = folder / f"step-{step:08d}", temporary_path(folder, step)
    check()
    if target.exists():  # reached again after a resume from before it
        remove(target)
    unfinished.mkdir(exist_ok=True)  # the shards may be there already
    torch.save(state, unfinished / STATE)  # by name, torch writes without holding up Python
    files = sorted(path for path in unfinished.rglob("*") if path.is_file())
    entries = {path.relative_to(unfinished).as_posix(): _synced_entry(path) for path in files}
    with (unfinished / MANIFEST).open("w") as file:
        json.dump({"step": step, "files": entries}, file)
        file.flush()
        os.fsync(file.fileno())
    for path in (unfinished, unfinished / SHARDS):
        if path.is_dir():
            sync_folder(path)
    check()
    unfinished.rename(target)
    sync_folder(folder)
    return target


def _synced_entry(path: Path) -> dict[str, int | str]:
    """Sync a file to the disk and return its entry of the manifest."""
    with path.open("rb") as file:
        os.fsync(file.fileno())
    return {"bytes": path.stat().st_size, "sha256": _sha256(path)}


def of_kind(folder: Path, kind: str) -> Iterator[tuple[int, Path]]:
    """Yield step and path of the checkpoints called `step-…` or `best-…`."""
    for path in folder.glob(f"{kind}-*"):
        if match := re.fullmatch(rf"{kind}-(\d+)", path.name):
            yield int(match[1]), path


def remove(path: Path) -> None:
    """Remove a checkpoint, or a file in its place."""
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)


def keep_as_best(path: Path, step: int) -> None:
    """Keep a checkpoint as the best one, and remove the former best."""
    folder = path.parent
    former = list(folder.glob("best-*"))
    target, temporary = folder / f"best-{step:08d}", folder / f".best-{step}.tmp"
    if target.exists():
        return
    shutil.copytree(path, temporary, copy_function=_link)
    temporary.rename(target)
    sync_folder(folder)
    for old in former:
        remove(old)


def _link(source: str, target: str) -> None:
    """Link a file, or copy it where the file system has no hard links."""
    try:
        os.link(source, target)
    except OSError:
        shutil.copy2(source, target)


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
