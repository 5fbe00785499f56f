"""What a rank is doing, and for how long it has done what since its process began."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import TypeVar

import psutil

from hpc_dl.usage.usage import START

T = TypeVar("T")
_END = object()


class Phases:
    """The phase that a rank is in, and the seconds of each. Other threads may read."""

    def __init__(self) -> None:
        self.current = START
        self._seconds: dict[str, float] = {}
        age = max(0.0, time.time() - psutil.Process().create_time())
        self._since = time.perf_counter() - age

    def enter(self, phase: str) -> str:
        """Begin a phase; return the one before."""
        now, before = time.perf_counter(), self.current
        self._seconds[before] = self._seconds.get(before, 0.0) + now - self._since
        self.current, self._since = phase, now
        return before

    @contextmanager
    def during(self, phase: str) -> Iterator[None]:
        """Be in a phase for as long as the context lasts, and then in the former one again."""
        before = self.enter(phase)
        try:
            yield
        finally:
            self.enter(before)

    def each(self, phase: str, items: Iterable[T]) -> Iterator[T]:
        """Yield items; be in a phase until each is there."""
        iterator = iter(items)
        while True:
            before = self.enter(phase)
            item = next(iterator, _END)
            self.enter(before)
            if item is _END:
                return
            yield item  # type: ignore[misc]
            del item  # before the next takes memory

    def seconds_of(self, phase: str) -> float:
        """Return the seconds of a phase until now, or until it was left."""
        return self.seconds().get(phase, 0.0)

    def seconds(self) -> dict[str, float]:
        """Return the seconds of each phase until now."""
        found, current = dict(self._seconds), self.current
        found[current] = found.get(current, 0.0) + time.perf_counter() - self._since
        return found
