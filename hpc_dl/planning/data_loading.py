"""Choice of data loading: resident in memory, or streamed while a rank trains."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Protocol

from hpc_dl.jobspec import units
from hpc_dl.jobspec.data import Data, StreamedData
from hpc_dl.jobspec.facts import DataFacts
from hpc_dl.jobspec.job import JobSpec

SHARE = 4
"""Resident examples of all ranks of a node take at most one part in so many of its memory, and so
of a GPU's. They are there twice for a moment, while they are divided into splits, and a training
needs the rest."""
UNKNOWN_MEMORY = 8 * 2**30
"""Bytes of a node, where neither the spec nor the machine says."""
GPU_BYTES = 4 * 2**30
"""A quarter of a small GPU's memory: which one it will be is not known here."""
MOST_WORKERS = 8
_UNITS = (("GiB", 2**30), ("MiB", 2**20), ("KiB", 2**10), ("B", 1))


class Ranks(Protocol):
    """The ranks of a node."""

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
    """Choose how the ranks of a node load; `memory` in bytes is that of the spec if None."""
    source, size, room = spec.data, count_bytes(facts), _room(spec, ranks, memory)
    if source.can_stream and source.loading == "streaming":
        return Loading(_workers(source, ranks))
    if source.can_stream and source.loading == "auto" and size > room:
        note = (
            f"the examples are {_gigabytes(size)} in memory, and a rank may hold "
            f"{_gigabytes(room)} of them: they are streamed"
        )
        return Loading(_workers(source, ranks), (note,))
    notes = [_of_a_gpu(size)] if ranks.gpus_per_node and size > GPU_BYTES else []
    notes += [_too_large(source, size, ranks)] if size > room else []
    return Loading(None, tuple(notes))


def count_bytes(facts: DataFacts) -> int:
    """Return the bytes of all examples. Where it is not known how many an example has, these are
    the least: those of graphs are not counted, and pixels are bytes.

    Numbers other than pixels are floats of 4 bytes.
    """
    width = {"image": 1, "graph": 0}.get(facts.modality, 4)
    example = facts.example_bytes or width * math.prod(facts.shape)
    return example * (facts.train + facts.validation + facts.test)


def _room(spec: JobSpec, ranks: Ranks, memory: int | None) -> int:
    """Return the bytes of main memory for the examples of a rank."""
    asked = spec.resources.mem
    memory = memory or (units.bytes_of(asked) if asked else UNKNOWN_MEMORY)
    return memory // SHARE // ranks.tasks_per_node


def _workers(source: Data, ranks: Ranks) -> int:
    if not isinstance(source, StreamedData):
        return 0
    if source.workers is not None:
        return source.workers
    return min(max(ranks.cpus_per_task - 1, 1), MOST_WORKERS)


def _of_a_gpu(size: int) -> str:
    return (
        f"the examples take {_gigabytes(size)}: unless that fits into a quarter of a GPU's memory, "
        "they stay in main memory, and each batch is copied to the GPU"
    )


def _too_large(source: Data, size: int, ranks: Ranks) -> str:
    hint = "; in HDF5 they could be streamed" if source.name == "npz" else ""
    return (
        f"each rank holds all examples in memory: {ranks.tasks_per_node} x {_gigabytes(size)} a "
        f"node, and twice as much for a moment; resources.mem has to be enough{hint}"
    )


def _gigabytes(count: int) -> str:
    return f"{count / 2**30:.1f} GiB"


def describe_size(facts: DataFacts) -> str:
    """Return how much memory all examples take, for people; empty where it is not known."""
    size = count_bytes(facts)
    if not size:
        return ""
    unit, divisor = next(it for it in _UNITS if size >= it[1])
    return f"{size / divisor:.3g} {unit}"
