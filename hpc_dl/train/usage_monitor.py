"""Usage monitor: measures what a rank uses, in a thread, and on rank 0 journals that of all ranks.

Every rank writes its own to rank 0's store: no rank waits for another. A GPU that idles for too
long becomes a warning.
"""

from __future__ import annotations

import contextlib
import json
import sys
import threading
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import timedelta
from typing import Any

from torch.distributed import TCPStore  # type: ignore[attr-defined]

from hpc_dl.run.journal import Journal
from hpc_dl.train.gpu_metrics import Reading
from hpc_dl.train.idle_gpus import IdleGuard, RankState
from hpc_dl.train.rank_meter import RankMeter
from hpc_dl.train.world import World
from hpc_dl.usage import usage
from hpc_dl.usage.usage import Usage

INTERVAL = 5.0
"""Seconds between two readings of the GPU."""
JOURNAL_INTERVAL = 60.0
"""Seconds between two of all ranks in the journal."""
_STORE_SECONDS = 10


@dataclass(frozen=True)
class _Report:
    """What a rank sends to rank 0."""

    usage: Usage
    state: RankState
    gpu: Reading

    @classmethod
    def from_json(cls, value: dict[str, Any]) -> _Report:
        return cls(Usage(**value["usage"]), RankState(**value["state"]), value["gpu"])


class UsageMonitor:
    """Measures while its context lasts, which may be entered again."""

    def __init__(
        self, world: World, journal: Journal | None, attempt: str, idle_warning: float
    ) -> None:
        self._world, self._journal, self._attempt = world, journal, attempt
        self._meter = RankMeter(world)
        self._idle = IdleGuard(idle_warning)
        self._store = self._join()
        self._ranks: list[_Report] = []
        self._journalled = float("-inf")

    def _join(self) -> TCPStore | None:
        if self._world.address is None:
            return None
        wait = timedelta(seconds=_STORE_SECONDS)
        with contextlib.suppress(RuntimeError):
            return TCPStore(*self._world.address, None, is_master=False, timeout=wait)
        return None

    def __enter__(self) -> UsageMonitor:
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="usage", daemon=True)
        self._thread.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        self._stop.set()
        if kind is None or self._journal is not None:
            self._thread.join()  # on other ranks the store may be gone after a failure
        if kind is not None and self._journal is not None:
            self._write(self._journal, self._known())

    def _run(self) -> None:
        while not self._stop.is_set():
            with contextlib.suppress(RuntimeError):  # the store is gone: so is rank 0
                self._meter.sample()
                if self._journal is not None:
                    self._check_all(self._journal)
                elif self._store is not None:
                    self._store.set(_key(self._world.rank), json.dumps(asdict(self._own())))
            self._stop.wait(INTERVAL)

    def _own(self) -> _Report:
        return _Report(self._meter.usage(), self._meter.state(), self._meter.gpu)

    def _check_all(self, journal: Journal) -> None:
        """Warn of GPUs that idle, and journal the usage from time to time."""
        self._ranks = ranks = self._known()
        changed = self._idle.update([it.state for it in ranks])
        if changed and self._idle.message:
            sys.stderr.write(f"warning: {self._idle.message}\n")
            journal.append("warning", message=self._idle.message)
        if changed or time.monotonic() - self._journalled > JOURNAL_INTERVAL:
            self._write(journal, ranks)

    def gather(self) -> None:
        """Journal what all ranks have used until now; all of them call this together."""
        self._meter.sample(at_once=True)
        found = self._world.gather_objects(asdict(self._own()))
        if self._journal is not None:
            self._write(self._journal, [_Report.from_json(it) for it in found])

    def _write(self, journal: Journal, ranks: Sequence[_Report]) -> None:
        """Journal the usage of all ranks, once it is known of each."""
        if len(ranks) < self._world.size:
            return
        self._journalled = time.monotonic()
        total = usage.of_attempt([(it.state.host, it.usage) for it in ranks])
        journal.append(
            "usage", attempt=self._attempt, idle_gpus=self._idle.message, **asdict(total)
        )

    def _known(self) -> list[_Report]:
        """Return the newest report of each rank, on rank 0."""
        found = [self._own()]
        for rank in range(1, self._world.size):
            with contextlib.suppress(RuntimeError):
                # to get a value that is not there would block
                if self._store is not None and self._store.check([_key(rank)]):
                    found.append(_Report.from_json(json.loads(self._store.get(_key(rank)))))
        return found

    def gpu_metrics(self) -> dict[str, float]:
        """Return on rank 0 the newest reading of each GPU, under the names that MLflow groups."""
        return {
            f"system/gpu_{it.state.rank}_{name}": value
            for it in self._ranks
            for name, value in it.gpu.items()
        }


def _key(rank: int) -> str:
    return f"usage/{rank}"
