"""Checkpoint writer: one background thread on rank 0, while the training goes on.

Short epochs would have it write all the time. So a save that may wait is only a copy in main
memory until `Checkpoint.least_seconds` after the last checkpoint, and a later one may take its
place. A run that is killed loses so much more at most.
"""

from __future__ import annotations

import shutil
import threading
import time
from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from hpc_dl.errors import naming
from hpc_dl.jobspec.job import Checkpoint
from hpc_dl.train import checkpoint
from hpc_dl.train.best_effort import describe_disk_error, is_disk_error
from hpc_dl.train.state_copy import StateCopy


@dataclass(frozen=True)
class Saved:
    """A checkpoint that is complete and on the disk."""

    step: int
    path: Path
    best: bool
    seconds: float
    """Time of the writing."""
    held: float
    """Seconds for which the training waited."""


@dataclass(frozen=True)
class _Save:
    """A save whose state is copied."""

    step: int
    best: bool
    held: float
    shards: Future[Any] | None


class CheckpointWriter:
    """Writes one checkpoint at a time, in a thread."""

    def __init__(
        self,
        folder: Path,
        keep: int,
        on_saved: Callable[[Saved], None],
        on_failure: Callable[[str], None],
        check: Callable[[], None] = lambda: None,
    ) -> None:
        self._check = check
        """Ends the process if another job has taken over the run."""
        self.folder = folder
        self.keep = keep
        self._on_saved = on_saved
        self._on_failure = on_failure
        self._writer: threading.Thread | None = None
        self._copy = StateCopy()
        """Of the last saved state."""
        self._changed = threading.Condition()
        """Of what follows, and of the copy as long as it waits."""
        self._waiting: _Save | None = None
        """The save that the thread has not begun to write."""
        self._hurry = False
        self._not_before = 0.0
        """When the next save that may wait is written, by the monotonic clock."""
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
        may_wait: bool = False,
    ) -> None:
        """Copy `state` to main memory and return; the writing goes on in the background.

        Waits for an earlier save, so that there is only one copy of the state. A save that
        `may_wait` is left out if the best one still waits, and is replaced by a later one. Where
        the ranks write `shards`, the checkpoint waits for these; `held` is the time of copying
        them.
        """
        started = time.perf_counter()
        with self._changed:
            if (waiting := self._waiting) and (best or not waiting.best):
                self._copy.take(state)
                held += time.perf_counter() - started
                self._waiting = _Save(step, best, held, shards)
                self._hurry = not may_wait
                self._changed.notify()
                return
            if waiting and may_wait:
                return
        self.wait()
        self._copy.take(state)
        held += time.perf_counter() - started
        self._waiting, self._hurry = _Save(step, best, held, shards), not may_wait
        self._writer = threading.Thread(target=self._write_in_time, daemon=True)
        self._writer.start()

    def wait(self) -> None:
        """Wait until no save is under way; one that waits is written now."""
        with self._changed:
            self._hurry = True
            self._changed.notify()
        if self._writer is not None:
            self._writer.join()

    def _write_in_time(self) -> None:
        with self._changed:
            left = max(0.0, self._not_before - time.monotonic())
            self._changed.wait_for(lambda: self._hurry, left)
            save, self._waiting = self._waiting, None
        assert save is not None
        self._not_before = time.monotonic() + Checkpoint.least_seconds
        self._write(save.step, save.best, save.held, save.shards)

    def _write(self, step: int, best: bool, held: float, shards: Future[Any] | None) -> None:
        started = time.perf_counter()
        try:
            if shards is not None:
                shards.result()
            with naming(self.folder / f"step-{step:08d}"):
                path = checkpoint.write(self.folder, step, self._copy.get(), self._check)
            self._check()
            if best:
                checkpoint.keep_as_best(path, step)
            self._remove_old()
        except BaseException as error:  # torch's error of shards is no Exception
            shutil.rmtree(checkpoint.temporary_path(self.folder, step), ignore_errors=True)
            if not is_disk_error(error):
                raise
            why = describe_disk_error(error)
            self._on_failure(f"the checkpoint of step {step} could not be written: {why}")
        else:
            self._on_saved(Saved(step, path, best, time.perf_counter() - started, held))

    def has_best(self, step: int) -> bool:
        """Return whether the best checkpoint, of this step, exists.

        If the process was killed before it was kept as the best, that is done now.
        """
        if (self.folder / f"best-{step:08d}").exists():
            return True
        path = self.folder / f"step-{step:08d}"
        if checkpoint.damage(path):
            return False
        try:
            checkpoint.keep_as_best(path, step)
        except OSError as error:
            if not is_disk_error(error):
                raise
            self._on_failure(
                f"{path.name} could not be kept as the best: {describe_disk_error(error)}"
            )
            return False
        return True

    def _remove_old(self) -> None:
        for _, old in sorted(checkpoint.of_kind(self.folder, "step"))[: -self.keep]:
            checkpoint.remove(old)
