"""The ranks' pulse: how far each has come; without one for too long, the attempt is ended.

Every rank tells the others through a store of rank 0's, from a thread of its own, and arms the C
library's watchdog, which prints the stacks even while Python itself is stuck. Rank 0 journals what
it hears, and ends an attempt in which some rank does not get on.
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

BEAT = 2.0
"""Seconds between two looks at a rank's progress."""
JOURNALLED = 10.0
"""Seconds between two heartbeats in the journal."""
GRACE = 3
"""Beats that all ranks get to print their stacks before the first of them ends the attempt."""
_STORE_SECONDS = 10
_SILENT = (-1, -1.0, "a node not heard of")


class Pulse:
    """Beats while its context lasts."""

    def __init__(
        self,
        world: World,
        journal: Journal | None,
        timeout: float,
        on_hang: Callable[[NoProgress], None],
    ) -> None:
        self._world, self._journal, self._on_hang = world, journal, on_hang
        self._timeout, self._beat = timeout, min(BEAT, timeout / 4)
        self._patience = timeout + GRACE * self._beat
        self._store = self._join() if world.address else None
        self._own = _Progress()
        self._ranks = [_Progress() for _ in range(world.size)]
        self._journalled = 0.0
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="pulse", daemon=True)

    def _join(self) -> TCPStore:
        host, port = self._world.address or ("", 0)
        wait = timedelta(seconds=_STORE_SECONDS)
        return TCPStore(host, port, None, is_master=False, timeout=wait)

    def __enter__(self) -> Pulse:
        self._look()
        self._tell()
        self._thread.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        self._stop.set()
        if kind is None:  # after a failure the store may be gone, and be waited for
            self._thread.join()
        faulthandler.cancel_dump_traceback_later()

    def _run(self) -> None:
        while not self._stop.wait(self._beat):
            self._look()
            with contextlib.suppress(RuntimeError):  # the store is gone: so is rank 0
                self._tell()
                if self._journal is not None:
                    self._hear(self._journal)
            if self._world.rank > 0 and self._own.idle > 2 * self._patience:
                os._exit(1)  # rank 0 has not ended it: it may be the one that is stuck

    def _look(self) -> None:
        """Progress arms the watchdog anew."""
        if self._own.see(self._world.mark.count):
            faulthandler.dump_traceback_later(self._timeout, file=sys.__stderr__ or sys.stderr)

    def _tell(self) -> None:
        if self._store is not None:
            mark = self._world.mark
            said = json.dumps([mark.count, mark.at, socket.gethostname()])
            self._store.set(f"pulse/{self._world.rank}", said)

    def _hear(self, journal: Journal) -> None:
        """What every rank has told; the attempt is ended when nobody has got on for too long."""
        told = self._told()
        for progress, (count, _, _) in zip(self._ranks, told, strict=True):
            progress.see(count)
        idle = [progress.idle for progress in self._ranks]
        behind = _behind([(at, host) for _, at, host in told])
        if time.monotonic() - self._journalled > min(JOURNALLED, self._timeout / 2):
            self._journalled = time.monotonic()
            rounded = [round(seconds, 1) for seconds in idle]
            journal.append("heartbeat", at=[at for _, at, _ in told], idle=rounded, behind=behind)
        if min(idle) > self._patience:
            self._stop.set()
            who = f" ({behind})" if behind else ""
            how_long = units.roughly(min(idle))
            stacks = "the stacks are in the logs"
            self._on_hang(NoProgress(f"no progress for {how_long}{who}; {stacks}"))

    def _told(self) -> list[tuple[int, float, str]]:
        if self._store is None:
            mark = self._world.mark
            return [(mark.count, mark.at, socket.gethostname())]
        names = [f"pulse/{rank}" for rank in range(self._world.size)]
        return [  # to ask for what is not there would block
            json.loads(self._store.get(name)) if self._store.check([name]) else _SILENT
            for name in names
        ]


class _Progress:
    """A count that grows, and since when it has not."""

    def __init__(self) -> None:
        self._count, self._since = -1, time.monotonic()

    def see(self, count: int) -> bool:
        """Whether it has grown."""
        grown = count != self._count
        if grown:
            self._count, self._since = count, time.monotonic()
        return grown

    @property
    def idle(self) -> float:
        """Seconds since it has grown."""
        return time.monotonic() - self._since


def _behind(places: list[tuple[float, str]]) -> str:
    """The ranks that the others wait for; nobody, where all stand at the same place."""
    least = min(at for at, _ in places)
    late = [f"rank {rank} on {host}" for rank, (at, host) in enumerate(places) if at == least]
    return "" if len(late) == len(places) > 1 else ", ".join(late)
