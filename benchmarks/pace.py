"""Pace: has a loop train in rounds of steps, with the others' rounds in between.

A contender calls `step` after each step. Upon the words `WARM STEPS` on standard input it takes
WARM steps, whose time does not count, then STEPS, or more until LEAST_SECONDS are over, and writes
how many these were and how long they took.
"""

from __future__ import annotations

import json
import os
import sys
import time
from collections.abc import Iterable, Iterator
from typing import Any, TypeVar

from torch import Tensor

from benchmarks.contender import LEAST_SECONDS

T = TypeVar("T")
CHECKED = 50
"""First steps, whose mean loss is compared with the other contenders'."""


class Pace:
    """Counts the steps of a loop, and holds it between two rounds."""

    def __init__(self) -> None:
        self._answers = os.fdopen(os.dup(1), "w")
        os.dup2(2, 1)  # frameworks print
        self._left, self._loss, self._timed = CHECKED, 0.0, 0
        self._is_checking, self._started, self._waited = True, 0.0, 0.0

    def step(self, loss: Tensor) -> None:
        """Count a step, of which `loss` is the mean."""
        if self._is_checking:
            self._loss += loss.item()
        self._left -= 1
        if not self._left:
            self._next()

    def waiting_for(self, batches: Iterable[T]) -> Iterator[T]:
        """Yield batches, and add up the time until they are there."""
        iterator = iter(batches)
        while True:
            began = time.perf_counter()
            batch = next(iterator, None)
            self._waited += time.perf_counter() - began
            if batch is None:
                return
            yield batch

    def _next(self) -> None:
        if self._timed and not self._started:  # the steps that do not count are over
            self._left, self._started, self._waited = self._timed, time.perf_counter(), 0.0
            return
        if self._is_checking:
            self._is_checking = False
            self._answer({"loss": self._loss / CHECKED})
        else:
            seconds = time.perf_counter() - self._started
            if seconds < LEAST_SECONDS:
                self._left, self._timed = 1, self._timed + 1
                return
            self._answer({"steps": self._timed, "seconds": seconds, "waited": self._waited})
        line = sys.stdin.readline()
        if not line:
            os._exit(0)  # the frameworks' own ends take seconds
        self._left, self._timed = map(int, line.split())
        self._started = 0.0

    def _answer(self, answer: dict[str, Any]) -> None:
        self._answers.write(json.dumps(answer) + "\n")
        self._answers.flush()


class Follow(Pace):
    """The pace of another rank, which is held by rank 0, as it waits for its gradients."""

    def __init__(self) -> None:
        pass

    def step(self, loss: Tensor) -> None:
        """Go on."""
