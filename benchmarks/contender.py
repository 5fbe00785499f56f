"""Contender: a process that trains a problem, round by round, and is stopped in between.

`python -m benchmarks.contender NAME PROBLEM` is such a process.
"""

from __future__ import annotations

import contextlib
import importlib
import json
import os
import signal
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

LEAST_SECONDS = 2.0
"""Of a turn. In shorter ones the median has no part of what holds up a machine now and then."""


class RaceError(Exception):
    """A contender that does not train, or trains something else."""


@dataclass(frozen=True)
class Round:
    """What so many steps have taken."""

    steps: int
    seconds: float
    waited: float | None = None
    """Seconds of these in which the loop waited for data."""

    @property
    def pace(self) -> float:
        """Seconds of a step."""
        return self.seconds / self.steps


class Contender(Protocol):
    """What can be raced."""

    @property
    def loss(self) -> float:
        """The mean over the first steps."""
        ...

    def begin(self) -> None:
        """Wait until it has begun."""
        ...

    def round(self, warm: int, steps: int) -> Round:
        """Train so many steps, for LEAST_SECONDS at least, after some that do not count."""
        ...

    def close(self) -> None:
        """End the processes."""
        ...


class Child:
    """A contender in a process group of its own, which is stopped between its rounds: no thread of
    it, nor worker, may take a core from another contender."""

    def __init__(self, name: str, problem: Path, environment: Mapping[str, str], log: Path) -> None:
        with log.open("wb") as errors:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "benchmarks.contender", name, str(problem)],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=errors,
                env=dict(environment),
                start_new_session=True,
                text=True,
            )
        self._log, self._name, self.loss = log, name, 0.0

    def begin(self) -> None:
        self.loss = self._answer()["loss"]

    def round(self, warm: int, steps: int) -> Round:
        os.killpg(self._process.pid, signal.SIGCONT)
        assert self._process.stdin is not None
        self._process.stdin.write(f"{warm} {steps}\n")
        self._process.stdin.flush()
        found = self._answer()
        return Round(int(found["steps"]), found["seconds"], found["waited"])

    def _answer(self) -> dict[str, float]:
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        if not line:
            raise RaceError(f"{self._name} has ended:\n{self._log.read_text()}")
        os.killpg(self._process.pid, signal.SIGSTOP)
        found: dict[str, float] = json.loads(line)
        return found

    def close(self) -> None:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self._process.pid, signal.SIGKILL)
        self._process.communicate()


def main() -> None:
    from benchmarks.pace import Pace
    from benchmarks.problem import Problem

    name, path = sys.argv[1:]
    module, loop = ("hand", "train") if name == "hand" else ("frameworks", name)
    train = getattr(importlib.import_module(f"benchmarks.{module}"), loop)
    train(Problem.load(Path(path)), Pace())


if __name__ == "__main__":
    main()
