"""Errors that need not end a run: a full disk, and failures of pictures, test metrics and tables.

By then the weights are saved or exported, and a training of days is worth more than a picture.
"""

from __future__ import annotations

import contextlib
import sys
import traceback
from collections.abc import Callable, Iterator, Mapping
from typing import Any, TypeVar

from hpc_dl import errors
from hpc_dl.run import failure
from hpc_dl.run.layout import RunDir
from hpc_dl.tasks.pictures.names import shorten
from hpc_dl.train import memory
from hpc_dl.train.world import World
from hpc_dl.user_code.failures import Stopped

T = TypeVar("T")
_ERRORS = (Exception, SystemExit, Stopped)
"""A user's code that calls sys.exit, or takes too long, does not end the run either."""
LONGEST = 1000
"""Most characters of a warning: an error may hold a whole tensor. The log has all of it."""
_TORCH_WRITER = ("PytorchStreamWriter", "inline_container")
"""torch's own writer of files raises a RuntimeError with one of these in it."""


def is_disk_error(error: BaseException) -> bool:
    """Return whether an error comes from a file that could not be written."""
    if ranks := _shard_errors(error):
        return all(map(is_disk_error, ranks.values()))
    return isinstance(error, OSError) or any(word in str(error) for word in _TORCH_WRITER)


def describe_disk_error(error: BaseException) -> str:
    """Describe a disk error in one line; of a sharded save, that of the first rank with one."""
    if ranks := _shard_errors(error):
        rank = min(ranks)
        return f"{describe_disk_error(ranks[rank])}, on rank {rank}"
    if isinstance(error, OSError):
        return errors.reason(error)
    return "the disk is full, or a quota is reached"


def _shard_errors(error: BaseException) -> Mapping[int, BaseException]:
    """Return the errors by rank of a torch.distributed.checkpoint; nothing of other errors."""
    api: Any = sys.modules.get("torch.distributed.checkpoint.api")  # slow to import: see fsdp
    if api is None or not isinstance(error, api.CheckpointException):
        return {}
    return {rank: cause for rank, (cause, _) in error.failures.items()}


class BestEffort:
    """Turns errors of work that a run can do without into warnings, with a traceback in the log of
    the rank."""

    def __init__(
        self, run: RunDir, world: World, warn: Callable[[str], None], *, is_sharded: bool
    ) -> None:
        self._run, self._world, self._warn, self._is_sharded = run, world, warn, is_sharded
        self._failed: set[str] = set()

    @contextlib.contextmanager
    def on_this_rank(self, what: str, place: str = "") -> Iterator[None]:
        """Warn of an error in work that no other rank waits for, the first time that it fails at
        all; `place` says when that was."""
        try:
            yield
        except _ERRORS as error:
            if what not in self._failed:
                self._failed.add(what)
                self._warn(f"no {what}{place}: {self._describe(error)}")
            memory.release()

    def on_all_ranks(self, what: str, work: Callable[[], T]) -> T | None:
        """Return the result of `work`, done by all ranks; None on all where it fails on one.

        What it does together with the other ranks has to end there, too. FSDP computes nothing
        alone, so that the others would wait for ever: with it the error is raised.
        """
        found, problem = None, None
        try:
            found = work()
        except _ERRORS as error:
            if self._is_sharded and self._world.size > 1:
                raise
            problem = self._describe(error)
            memory.release()
        problems = [it for it in self._world.gather_objects(problem) if it is not None]
        if not problems:
            return found
        if self._world.rank == 0:
            self._warn(f"no {what}: {problems[0]}")
        return None

    def _describe(self, error: BaseException) -> str:
        """Print the traceback of an error, and describe it in one line."""
        traceback.print_exception(error)
        try:
            is_full = is_disk_error(error)
            text = describe_disk_error(error) if is_full else failure.describe(self._run, error)
        except Exception:  # of the user's own class, whose __str__ fails
            return type(error).__name__
        return shorten(" ".join(text.split()), LONGEST)
