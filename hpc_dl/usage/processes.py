"""Processor time and memory of this process and its descendants, sampled."""

from __future__ import annotations

import contextlib
import time

import psutil

WINDOW = 10.0
"""Least seconds between two samples, over which busy cores are averaged."""
SHARE = 1000
"""A sample is taken so seldom that it costs at most one part in so many of a core."""


class ProcessTree:
    """This process with all that it has started: workers that read data, the sync of the journal.

    Processes that have ended count by what their parents know of them.
    """

    def __init__(self) -> None:
        self._root = psutil.Process()
        self.started = self._root.create_time()
        """In seconds since 1970."""
        self.cpu_seconds = 0.0
        self.cores = 0.0
        """Most cores that were busy, on average over the time between two samples."""
        self.memory = 0
        """Most bytes that were held. Memory that processes share counts once (PSS)."""
        self._sampled, self._due = self.started, 0.0

    def sample(self, *, at_once: bool = False) -> None:
        """Measure, if the next sample is due."""
        if not at_once and time.monotonic() < self._due:
            return
        began = time.thread_time()
        seconds, memory, now = 0.0, 0, time.time()
        for process in (self._root, *self._root.children(recursive=True)):
            with contextlib.suppress(psutil.Error):  # it has just ended
                seconds += sum(process.cpu_times()[:4])  # of ended children, too
                memory += _memory(process)
        if now - self._sampled >= WINDOW:
            busy = (seconds - self.cpu_seconds) / (now - self._sampled)
            self.cores, self._sampled = max(self.cores, busy), now
        elif not self.cores:
            self.cores = seconds / max(now - self.started, 1e-3)
        self.cpu_seconds = max(self.cpu_seconds, seconds)
        self.memory = max(self.memory, memory)
        self._due = time.monotonic() + max(WINDOW, SHARE * (time.thread_time() - began))


def _memory(process: psutil.Process) -> int:
    """Return the bytes that a process holds; its resident ones where the system has no PSS."""
    with contextlib.suppress(psutil.AccessDenied):
        found = process.memory_full_info()
        return int(getattr(found, "pss", found.rss))
    return int(process.memory_info().rss)
