"""System metrics: a thread of rank 0 journals progress and the load of the node."""

from __future__ import annotations

import threading
import time
from contextlib import AbstractContextManager, nullcontext
from typing import Any

import psutil

from hpc_dl.planning.plan import Plan
from hpc_dl.run.journal import Journal
from hpc_dl.train.engine import Engine
from hpc_dl.train.usage_monitor import UsageMonitor

SYSTEM_SECONDS = 10.0
MIB = 2**20


def system_monitor(
    engine: Engine, plan: Plan, journal: Journal | None, usage: UsageMonitor
) -> AbstractContextManager[object]:
    """Return a monitor if there is a journal."""
    return nullcontext() if journal is None else SystemMonitor(engine, plan, journal, usage)


class SystemMonitor:
    """Journals while its context lasts: progress often at first, then every 10 s."""

    def __init__(self, engine: Engine, plan: Plan, journal: Journal, usage: UsageMonitor) -> None:
        self._engine, self._plan, self._journal, self._usage = engine, plan, journal, usage
        self._first_step, self._started = engine.step, time.monotonic()
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="monitor", daemon=True)

    def __enter__(self) -> SystemMonitor:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join()
        self.progress()

    def _run(self) -> None:
        sampled = 0.0
        psutil.cpu_percent()  # the first answer has nothing to compare with
        while not self._stop.wait(self._pause()):
            self.progress()
            if time.monotonic() - sampled >= SYSTEM_SECONDS:
                sampled = time.monotonic()
                values = system_metrics() | self._usage.gpu_metrics()
                self._journal.append("system", step=self._engine.step, values=values)

    def _pause(self) -> float:
        """Return the seconds until the next event: few while people watch a run begin."""
        return min(10.0, max(0.5, (time.monotonic() - self._started) / 20))

    def progress(self) -> None:
        """Journal the progress, and the time left at this pace."""
        step, plan = self._engine.step, self._plan
        taken = step - self._first_step
        seconds = time.monotonic() - self._started
        fields: dict[str, Any] = {
            "epoch": min(step // plan.steps_per_epoch + 1, plan.epochs),
            "epochs": plan.epochs,
            "step": step,
            "steps": plan.steps,
        }
        if taken:
            seen = plan.examples_seen(step) - plan.examples_seen(self._first_step)
            fields["examples_per_second"] = round(seen / seconds, 1)
            fields["seconds_left"] = round((plan.steps - step) * seconds / taken, 1)
        self._journal.append("progress", **fields)


def system_metrics() -> dict[str, float]:
    """Return load and memory of this node, under the names that MLflow groups."""
    memory = psutil.virtual_memory()
    return {
        "system/cpu_utilization_percentage": psutil.cpu_percent(),
        "system/system_memory_usage_megabytes": memory.used / MIB,
        "system/system_memory_usage_percentage": memory.percent,
        "system/process_memory_usage_megabytes": psutil.Process().memory_info().rss / MIB,
    }
