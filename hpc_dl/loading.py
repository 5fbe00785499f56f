"""Resident or streamed: whether a rank's examples go into memory, or are read while it trains."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Protocol

from hpc_dl.spec import units
from hpc_dl.spec.data import DataFacts
from hpc_dl.spec.job import JobSpec
from hpc_dl.spec.sources import ImageFolder

SHARE = 4
"""Resident examples of all ranks of a node take at most one part in so many of its memory. They
are there twice for a moment, while they are divided into splits, and a training needs the rest."""
UNKNOWN_MEMORY = 8 * 2**30
"""Bytes of a node, where neither the spec nor the machine says."""
GPU_BYTES = 4 * 2**30
"""Resident examples are on the GPU, where there is one, and its memory is not known here."""
MOST_WORKERS = 8


class Ranks(Protocol):
    """What a node does."""

    @property
    def tasks_per_node(self) -> int: ...
    @property
    def gpus_per_node(self) -> int: ...
    @property
    def cpus_per_task(self) -> int: ...


@dataclass(frozen=True)
class Loading:
    """`workers` are processes of each rank that read while it trains; None: all are in memory."""

    workers: int | None
    notes: tuple[str, ...] = ()


def choose(spec: JobSpec, facts: DataFacts, ranks: Ranks, memory: int | None) -> Loading:
    """How the ranks of a node load, whose `memory` in bytes is what is asked for if not known."""
    source, asked = spec.data, spec.resources.mem
    if not isinstance(source, ImageFolder) or source.loading == "resident":
        return Loading(None)
    workers = source.workers
    if workers is None:
        workers = min(max(ranks.cpus_per_task - 1, 1), MOST_WORKERS)
    if source.loading == "streaming":
        return Loading(workers)
    decoded = math.prod(facts.shape) * (facts.train + facts.validation + facts.test)
    memory = memory or (units.bytes_of(asked) if asked else UNKNOWN_MEMORY)
    room = memory // SHARE // ranks.tasks_per_node
    if ranks.gpus_per_node:
        room = min(room, GPU_BYTES)
    if decoded <= room:
        return Loading(None)
    note = (
        f"the pictures are {_gigabytes(decoded)} when decoded, and a rank may hold "
        f"{_gigabytes(room)} of them in memory: they are streamed"
    )
    return Loading(workers, (note,))


def _gigabytes(count: int) -> str:
    return f"{count / 2**30:.1f} GiB"
