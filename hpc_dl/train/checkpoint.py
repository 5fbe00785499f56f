"""Checkpoints that are whole or absent, written while the training goes on.

A checkpoint is a folder `step-NUMBER` with the state and a manifest of sizes and checksums. It is
written under a temporary name, made durable, and renamed. The best one is kept beside, as
`best-NUMBER`, sharing its bytes with the other as long as both are there.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import shutil
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from pydantic import BaseModel, ValidationError

from hpc_dl.errors import naming
from hpc_dl.run.layout import sync_folder
from hpc_dl.train import disk

STATE, SHARDS, MANIFEST = "state.pt", "shards", "manifest.json"


@dataclass(frozen=True)
class Saved:
    """A checkpoint that is safely there."""

    step: int
    path: Path
    best: bool
    seconds: float
    """That the writing took."""
    held: float
    """Seconds that the training stood still for it."""


class _File(BaseModel):
    bytes: int
    sha256: str


class _Manifest(BaseModel):
    """What a checkpoint is to hold, by name."""

    files: dict[str, _File]


class Checkpoints:
    """The writing end, on rank 0: one background writer, so at most one save is under way."""

    def __init__(
        self,
        folder: Path,
        keep: int,
        on_saved: Callable[[Saved], None],
        on_failure: Callable[[str], None],
        check: Callable[[], None] = lambda: None,
    ) -> None:
        self._check = check
        """Ends the process if another one writes here by now."""
        self.folder = folder
        self.keep = keep
        self._on_saved = on_saved
        self._on_failure = on_failure
        self._writer: threading.Thread | None = None
        self._copy: Any = None
        """Of the last state saved; its memory is used again."""
        folder.mkdir(parents=True, exist_ok=True)
        for leftover in folder.glob(".*.tmp"):
            shutil.rmtree(leftover, ignore_errors=True)

    def save(
        self,
        state: dict[str, Any],
        step: int,
        *,
        best: bool,
        shards: Future[Any] | None = None,
        held: float = 0.0,
    ) -> None:
        """Copy `state` off the device and return; the writing goes on in the background.

        Waits for a save that is still under way: there is one copy of the state, not two. Where
        the ranks write `shards`, the checkpoint is whole when these are; to have them copied has
        `held` up the training for so many seconds.
        """
        started = time.perf_counter()
        self.wait()
        self._copy = _copied(state, self._copy)
        held += time.perf_counter() - started
        arguments = (step, best, held, shards)
        self._writer = threading.Thread(target=self._write, args=arguments, daemon=True)
        self._writer.start()

    def wait(self) -> None:
        """Return once no save is under way."""
        if self._writer is not None:
            self._writer.join()

    def _write(self, step: int, best: bool, held: float, shards: Future[Any] | None) -> None:
        started = time.perf_counter()
        try:
            if shards is not None:
                shards.result()
            with naming(self.folder / f"step-{step:08d}"):
                path = _write_whole(self.folder, step, self._copy, self._check)
            self._check()
            if best:
                self._keep_as_best(path, step)
            self._forget_old()
        except BaseException as error:  # what torch raises for shards is no Exception
            shutil.rmtree(temporary(self.folder, step), ignore_errors=True)
            if not disk.refuses(error):
                raise
            why = disk.reason(error)
            self._on_failure(f"the checkpoint of step {step} could not be written: {why}")
        else:
            self._on_saved(Saved(step, path, best, time.perf_counter() - started, held))

    def has_best(self, step: int) -> bool:
        """Whether the best checkpoint is there, of this step.

        One that a kill left with its ordinary name alone is kept as the best now.
        """
        if (self.folder / f"best-{step:08d}").exists():
            return True
        path = self.folder / f"step-{step:08d}"
        if damage(path):
            return False
        try:
            self._keep_as_best(path, step)
        except OSError as error:
            if not disk.refuses(error):
                raise
            self._on_failure(f"{path.name} could not be kept as the best: {disk.reason(error)}")
            return False
        return True

    def _keep_as_best(self, path: Path, step: int) -> None:
        former = list(self.folder.glob("best-*"))
        target, temporary = self.folder / f"best-{step:08d}", self.folder / f".best-{step}.tmp"
        if target.exists():
            return
        shutil.copytree(path, temporary, copy_function=_link)
        temporary.rename(target)
        sync_folder(self.folder)
        for old in former:
            _remove(old)

    def _forget_old(self) -> None:
        for _, old in sorted(_of_kind(self.folder, "step"))[: -self.keep]:
            _remove(old)


def candidates(folder: Path) -> list[tuple[int, Path]]:
    """All checkpoints with their steps, the newest first."""
    found = [*_of_kind(folder, "best"), *_of_kind(folder, "step")]
    return sorted(found, key=lambda pair: pair[0], reverse=True)


def abandon(folder: Path, step: int) -> None:
    """Remove the checkpoints from `step` on, to which the training is not to come back."""
    for at, path in candidates(folder):
        if at >= step:
            _remove(path)


def best(folder: Path) -> Path | None:
    """The best checkpoint, if one was kept."""
    return max((path for _, path in _of_kind(folder, "best")), default=None)


def step_of(path: Path) -> int:
    """The step of a checkpoint, by the name of its folder."""
    return int(path.name.rpartition("-")[2])


def newest_whole(folder: Path, on_damage: Callable[[str], None]) -> Path | None:
    """The newest checkpoint that is whole; damaged ones are named to `on_damage`."""
    for _, path in candidates(folder):
        fault = damage(path)
        if fault is None:
            return path
        on_damage(f"checkpoint {path.name} is damaged, and the one before it is taken: {fault}")
    return None


def damage(path: Path) -> str | None:
    """What is wrong with a checkpoint, or None where it is whole."""
    try:
        manifest = _Manifest.model_validate(json.loads((path / MANIFEST).read_bytes()))
        for name, entry in manifest.files.items():
            size = (path / name).stat().st_size
            if size != entry.bytes:
                return f"{name} has {size} bytes instead of {entry.bytes}"
            if _sha256(path / name) != entry.sha256:
                return f"{name} has another checksum than when it was written"
    except ValidationError as error:
        return f"{MANIFEST} is none: {error.errors()[0]['msg']}"
    except (OSError, ValueError, RecursionError) as error:
        return f"{type(error).__name__}: {error}"
    return None if STATE in manifest.files else f"{MANIFEST} does not speak of {STATE}"


def load(path: Path, *, mapped: bool = False) -> dict[str, Any]:
    """The state in a whole checkpoint. Only tensors and plain values are ever unpickled.

    Tensors that are `mapped` stay in the file until they are copied from there: beside the state of
    a training there may be no room for another.
    """
    state: dict[str, Any] = torch.load(
        path / STATE, map_location="cpu", mmap=mapped, weights_only=True
    )
    return state


def temporary(folder: Path, step: int) -> Path:
    """Where a checkpoint is written before it is whole."""
    return folder / f".step-{step:08d}.tmp"


def _write_whole(folder: Path, step: int, state: dict[str, Any], check: Callable[[], None]) -> Path:
    target, unfinished = folder / f"step-{step:08d}", temporary(folder, step)
    check()
    if target.exists():  # trained again after a resume from before it
        _remove(target)
    unfinished.mkdir(exist_ok=True)  # the shards may be there already
    torch.save(state, unfinished / STATE)  # by name, torch writes without holding up Python
    files = sorted(path for path in unfinished.rglob("*") if path.is_file())
    entries = {path.relative_to(unfinished).as_posix(): _durable(path) for path in files}
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


def _durable(path: Path) -> dict[str, int | str]:
    """A file's entry in the manifest, once it is safely on the disk."""
    with path.open("rb") as file:
        os.fsync(file.fileno())
    return {"bytes": path.stat().st_size, "sha256": _sha256(path)}


def _of_kind(folder: Path, kind: str) -> Iterator[tuple[int, Path]]:
    for path in folder.glob(f"{kind}-*"):
        if match := re.fullmatch(rf"{kind}-(\d+)", path.name):
            yield int(match[1]), path


def _remove(path: Path) -> None:
    """Remove a checkpoint, or what lies in the place of one."""
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)


def _link(source: str, target: str) -> None:
    try:
        os.link(source, target)
    except OSError:  # a file system without hard links
        shutil.copy2(source, target)


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _copied(value: Any, into: Any) -> Any:
    """A copy in main memory, which `into`, a copy of an earlier state, gives its tensors to."""
    if isinstance(value, torch.Tensor):
        fits = isinstance(into, torch.Tensor) and _like(value) == _like(into)
        buffer = into if fits else torch.empty_like(value, device="cpu")
        return buffer.copy_(value.detach())
    if isinstance(value, dict):
        old = into if isinstance(into, dict) else {}
        return {key: _copied(item, old.get(key)) for key, item in value.items()}
    if isinstance(value, list):
        former = into if isinstance(into, list) and len(into) == len(value) else [None] * len(value)
        return [_copied(item, one) for item, one in zip(value, former, strict=True)]
    return value


def _like(tensor: torch.Tensor) -> tuple[torch.dtype, torch.Size]:
    return tensor.dtype, tensor.shape
