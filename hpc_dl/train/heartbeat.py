"""Heartbeat: each rank's progress, and the end of an attempt that makes none for too long.

Every rank writes its progress to rank 0's store, from a thread, and arms the C library's watchdog,
which prints the stacks even while Python itself is stuck. Rank 0 journals the progress of all, and
ends an attempt in which no rank makes any.
"""

from __future__ import annotations

import contextlib
import faulthandler
import json
import os
import socket
import sys
import threading
import time
from collections.abc import Callable
from datetime import timedelta

from torch.distributed import TCPStore  # type: ignore[attr-defined]

from hpc_dl.jobspec import units
from hpc_dl.run.failure import NoProgress
from hpc_dl.run.journal import Journal
from hpc_dl.train.world import World

INTERVAL = 2.0
"""Seconds between two heartbeats of a rank."""
JOURNAL_INTERVAL = 10.0
"""Seconds between two heartbeats in the journal."""
GRACE = 3
"""Heartbeats that all ranks get to print their stacks before rank 0 ends the attempt."""
BUSY = 0.005
"""Share of a processor that a rank uses at least while it loads; heartbeats use less."""
_STORE_SECONDS = 10
_SILENT = (-1, -1.0, "a node not heard of")


class Heartbeat:
    """Sends and watches heartbeats while its context lasts."""

    def __init__(
        self,
        world: World,
        journal: Journal | None,
        timeout: float,
        on_hang: Callable[[NoProgress], None],
    ) -> None:
        self._world, self._journal, self._on_hang = world, journal, on_hang
        self._timeout, self._interval = timeout, min(INTERVAL, timeout / 4)
        self._deadline = timeout + GRACE * self._interval
        self._store = self._join() if world.address else None
        self._own = _LastProgress()
        self._ranks = [_LastProgress() for _ in range(world.size)]
        self._journalled = 0.0
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="heartbeat", daemon=True)

    def _join(self) -> TCPStore:
        host, port = self._world.address or ("", 0)
        wait = timedelta(seconds=_STORE_SECONDS)
        return TCPStore(host, port, None, is_master=False, timeout=wait)

    def __enter__(self) -> Heartbeat:
        self._check_own()
        self._send()
        self._thread.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        self._stop.set()
        if kind is None:  # after a failure the store may be gone, and be waited for
            self._thread.join()
        faulthandler.cancel_dump_traceback_later()

    def _run(self) -> None:
        worked = time.process_time()
        while not self._stop.wait(self._interval):
            before, worked = worked, time.process_time()
            if self._world.progress.is_loading and worked - before > BUSY * self._interval:
                self._world.progress.touch()
            self._check_own()
            with contextlib.suppress(RuntimeError):  # the store is gone: so is rank 0
                self._send()
                if self._journal is not None:
                    self._check_all(self._journal)
            alone = self._world.rank > 0 and not self._world.progress.is_waiting
            if alone and self._own.idle > 2 * self._deadline:
                os._exit(1)  # rank 0 has not ended it: it may be the one that is stuck

    def _check_own(self) -> None:
        """Arm the watchdog anew after progress."""
        if self._own.update(self._world.progress.count):
            faulthandler.dump_traceback_later(self._timeout, file=sys.__stderr__ or sys.stderr)

    def _send(self) -> None:
        if self._store is not None:
            self._store.set(f"heartbeat/{self._world.rank}", json.dumps(self._beat()))

    def _beat(self) -> tuple[int, float, str]:
        progress = self._world.progress
        return progress.count, progress.at, socket.gethostname()

    def _check_all(self, journal: Journal) -> None:
        """Journal the progress of all ranks, and end the attempt if none has made any."""
        beats = self._received()
        for progress, (count, _, _) in zip(self._ranks, beats, strict=True):
            progress.update(count)
        idle = [progress.idle for progress in self._ranks]
        behind = _behind([(at, host) for _, at, host in beats])
        if time.monotonic() - self._journalled > min(JOURNAL_INTERVAL, self._timeout / 2):
            self._journalled = time.monotonic()
            rounded = [round(seconds, 1) for seconds in idle]
            journal.append("heartbeat", at=[at for _, at, _ in beats], idle=rounded, behind=behind)
        if min(idle) > self._deadline:
            self._stop.set()
            who = f" ({behind})" if behind else ""
            how_long = units.roughly(min(idle))
            stacks = "the stacks are in the logs"
            self._on_hang(NoProgress(f"no progress for {how_long}{who}; {stacks}"))

    def _received(self) -> list[tuple[int, float, str]]:
        """Return the newest heartbeat of every rank."""
        if self._store is None:
            return [self._beat()]
        names = [f"heartbeat/{rank}" for rank in range(self._world.size)]
        return [  # to get a value that is not there would block
            json.loads(self._store.get(name)) if self._store.check([name]) else _SILENT
            for name in names
        ]


class _LastProgress:
    """A count that grows, and since when it has not."""

    def __init__(self) -> None:
        self._count, self._since = -1, time.monotonic()

    def update(self, count: int) -> bool:
        """Set the count, and return whether it has grown."""
        grown = count != self._count
        if grown:
            self._count, self._since = count, time.monotonic()
        return grown

    @property
    def idle(self) -> float:
        """Seconds since the count has grown."""
        return time.monotonic() - self._since


def _behind(places: list[tuple[float, str]]) -> str:
    """Name the ranks that the others wait for; none if all are at the same place."""
    least = min(at for at, _ in places)
    late = [f"rank {rank} on {host}" for rank, (at, host) in enumerate(places) if at == least]
    return "" if len(late) == len(places) > 1 else ", ".join(late)
