"""Usage: what a rank, an attempt or a run has used, and how the parts add up."""

from __future__ import annotations

import contextlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeVar

from pydantic import TypeAdapter, ValidationError

from hpc_dl.run import journal
from hpc_dl.run.layout import RunDir

T = TypeVar("T", int, float)
TRAINING = "training"
START = "start"
DATA = "data"
EVALUATION = "evaluation"
CHECKPOINT = "checkpoint"
TEST = "test"
PHASES = (START, DATA, EVALUATION, CHECKPOINT, TEST)
"""What a rank does but training: it starts and loads, waits for data, evaluates, saves, tests and
exports."""


@dataclass(frozen=True)
class Usage:
    """What so many ranks have used. What was not measured is None; memory is in bytes."""

    seconds: float
    """Since the processes began, of all attempts."""
    rank_seconds: float
    cpu_seconds: float
    cores: float
    """Most cores that a rank kept busy."""
    memory: int
    """Most memory of a node, by samples of its processes."""
    job_memory: int | None = None
    """Most memory of a node, by the job's control group: files that it had in memory count."""
    node_joules: float | None = None
    """Of the processors of all nodes, other jobs included."""
    phases: dict[str, float] = field(default_factory=dict)
    """Seconds of the rank that trained least, for which the others waited; the rest is training."""
    gpu_seconds: float = 0.0
    gpu_utilization: float | None = None
    """Mean over the GPUs and the time, in percent."""
    gpu_memory: int | None = None
    """Most memory of a GPU."""
    gpu_total_memory: int | None = None
    gpu_joules: float | None = None

    def share(self, phase: str) -> float:
        """Return the share of a phase in the time."""
        if phase == TRAINING:
            return max(0.0, 1 - sum(map(self.share, self.phases)))
        return self.phases.get(phase, 0.0) / self.seconds if self.seconds else 0.0

    @property
    def mean_cores(self) -> float:
        """Cores that a rank kept busy on average."""
        return self.cpu_seconds / self.rank_seconds if self.rank_seconds else 0.0


def of_attempt(ranks: Sequence[tuple[str, Usage]]) -> Usage:
    """Add up the ranks of an attempt, each with its host; they run at the same time."""
    of_node: dict[str, list[Usage]] = {}
    for host, rank in ranks:
        of_node.setdefault(host, []).append(rank)
    nodes, found = of_node.values(), [rank for _, rank in ranks]
    return Usage(
        seconds=max(it.seconds for it in found),
        memory=max(sum(it.memory for it in node) for node in nodes),
        node_joules=_sum(_most(it.node_joules for it in node) for node in nodes),
        phases=min(found, key=lambda it: it.seconds - sum(it.phases.values())).phases,
        **_common(found),
    )


def of_run(attempts: Sequence[Usage]) -> Usage:
    """Add up attempts, one after the other."""
    return Usage(
        seconds=sum(it.seconds for it in attempts),
        memory=max(it.memory for it in attempts),
        node_joules=_sum(it.node_joules for it in attempts),
        phases={name: sum(it.phases.get(name, 0.0) for it in attempts) for name in PHASES},
        **_common(attempts),
    )


def _common(parts: Sequence[Usage]) -> dict[str, Any]:
    """Return what is the same for ranks and for attempts."""
    known = [it for it in parts if it.gpu_utilization is not None]
    weight = sum(it.gpu_seconds for it in known)
    busy = sum((it.gpu_utilization or 0.0) * it.gpu_seconds for it in known)
    return {
        "rank_seconds": sum(it.rank_seconds for it in parts),
        "cpu_seconds": sum(it.cpu_seconds for it in parts),
        "cores": max(max(it.cores, it.mean_cores) for it in parts),  # the end fills no window
        "job_memory": _most(it.job_memory for it in parts),
        "gpu_seconds": sum(it.gpu_seconds for it in parts),
        "gpu_utilization": busy / weight if weight else None,
        "gpu_memory": _most(it.gpu_memory for it in parts),
        "gpu_total_memory": _most(it.gpu_total_memory for it in parts),
        "gpu_joules": _sum(it.gpu_joules for it in parts),
    }


def _most(values: Iterable[T | None]) -> T | None:
    """Return the largest known value; None without one."""
    return max((it for it in values if it is not None), default=None)


def _sum(values: Iterable[float | None]) -> float | None:
    """Return the sum; None where one is not known, for it would be too small."""
    found = list(values)
    known = [it for it in found if it is not None]
    return sum(known) if found and len(known) == len(found) else None


def read(run: RunDir) -> list[Usage]:
    """Return the usage of each attempt, as far as it is journalled. Raises DamagedFile."""
    adapter, newest = TypeAdapter(Usage), {}
    for event, _, _ in journal.read(run.journal, kinds=("usage",)):
        with contextlib.suppress(ValidationError):  # of another version
            newest[event["attempt"]] = adapter.validate_python(event)
    return list(newest.values())
