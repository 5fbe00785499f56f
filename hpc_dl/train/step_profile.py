"""Profile of a few training steps, by torch.profiler: a trace of what the processor and the GPU did
when, and a table of the operators that took longest."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import torch
from torch.profiler import ProfilerActivity, profile, schedule

from hpc_dl.jobspec.train import PROFILE_AFTER

SETTLING = 2
"""Of the steps before, those that the profiler watches and drops: its start takes long."""
ROWS = 15
"""Operators in the table."""


class StepProfile:
    """Profiles so many steps, once, after the first PROFILE_AFTER of an attempt.

    What the steps compute stays the same by a bit.
    """

    def __init__(self, steps: int, device: torch.device, write: Callable[[profile], None]) -> None:
        self._taken, self._last = 0, PROFILE_AFTER + steps
        self._write = write
        activities = [ProfilerActivity.CPU]
        if device.type == "cuda":
            activities.append(ProfilerActivity.CUDA)
        plan = schedule(wait=0, warmup=SETTLING, active=steps, repeat=1)
        self._profiler = profile(activities=activities, schedule=plan)

    @property
    def is_complete(self) -> bool:
        """True if all steps are profiled."""
        return self._taken >= self._last

    def after_step(self) -> None:
        """Count a step; begin, go on, or write the profile."""
        self._taken += 1
        if self._taken == PROFILE_AFTER - SETTLING:
            self._profiler.start()
        elif PROFILE_AFTER - SETTLING < self._taken <= self._last:
            self._profiler.step()
        if self._taken == self._last:
            self._profiler.stop()
            self._write(self._profiler)

    def close(self) -> None:
        """Stop what a training that ends early has begun."""
        if PROFILE_AFTER - SETTLING <= self._taken < self._last:
            self._profiler.stop()


def table(found: profile, device: torch.device) -> str:
    """Return the operators that took longest by themselves, a line for each."""
    kind = "cuda" if device.type == "cuda" else "cpu"
    averages = found.key_averages()
    return averages.table(sort_by=f"self_{kind}_time_total", row_limit=ROWS)


def write_trace(found: profile, path: Path) -> None:
    """Write the trace, as chrome://tracing and ui.perfetto.dev open it, whole or not at all."""
    path.parent.mkdir(exist_ok=True)
    partial = path.with_name(f".{path.name}")  # torch compresses what ends so
    found.export_chrome_trace(str(partial))
    partial.replace(path)
