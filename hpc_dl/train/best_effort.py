"""What a run can do without: pictures, the test metrics, tables. Where they fail, it goes on.

By then the weights are saved or exported, and a training of days is worth more than a picture.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from typing import TypeVar

from hpc_dl.run import failure
from hpc_dl.run.layout import RunDir
from hpc_dl.train import disk, memory
from hpc_dl.train.engine import Engine

T = TypeVar("T")


class Extras:
    """Turns errors into warnings that name what is missing."""

    def __init__(self, run: RunDir, engine: Engine, warn: Callable[[str], None]) -> None:
        self._run, self._engine, self._warn = run, engine, warn

    @contextlib.contextmanager
    def alone(self, what: str) -> Iterator[None]:
        """Work of this rank alone, which the others do not wait for."""
        try:
            yield
        except Exception as error:
            self._warn(f"no {what}: {self._reason(error)}")
            memory.release()

    def together(self, what: str, work: Callable[[], T]) -> T | None:
        """What `work` returns, which all ranks do; None on all of them where it fails on one.

        What it does together with the others has to come to an end there, too. Networks that are
        divided compute nothing alone, so that the others would wait for ever: that error is raised.
        """
        found, problem = None, None
        try:
            found = work()
        except Exception as error:
            if self._engine.sharded and self._engine.world.size > 1:
                raise
            problem = self._reason(error)
            memory.release()
        problems = [it for it in self._engine.world.gather_objects(problem) if it is not None]
        if not problems:
            return found
        if self._engine.world.rank == 0:
            self._warn(f"no {what}: {problems[0]}")
        return None

    def _reason(self, error: Exception) -> str:
        """The error in one line."""
        said = disk.reason(error) if disk.refuses(error) else failure.describe(self._run, error)
        return " ".join(said.split())
