"""Chunks of arrays in HDF5: of compressed ones all rows are decompressed to read one. Light."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from hpc_dl.data.arrays import parts

AT_ONCE = 2**21
"""Bytes that are read at once where all rows are read in turn."""
MOST_KEPT = 2**28
"""The most bytes of decompressed chunks that a process keeps."""
SLOW = 8
"""How many times the bytes of a row may be decompressed to read it, before it is noted."""


def rows_at_once(dataset: Any) -> int:
    """Return how many rows of a dataset to read at once: whole chunks."""
    rows = max(1, AT_ONCE * len(dataset) // max(1, dataset.nbytes))
    return -(-rows // _shape(dataset)[0]) * _shape(dataset)[0]


def kept_bytes(dataset: Any) -> int:
    """Return how many bytes of chunks to keep where rows are read in any order: those that hold a
    row, if they are compressed. Else none, for to keep a chunk the library reads all of it."""
    size = math.prod(_shape(dataset)) * dataset.dtype.itemsize
    return min(size, MOST_KEPT) if _is_filtered(dataset) else 0


def note_slow(dataset: Any, where: str) -> tuple[str, ...]:
    """Note chunks that make it slow to read rows in random order."""
    times = math.prod(_shape(dataset)) / max(1, math.prod(dataset.shape[1:]))
    if not _is_filtered(dataset) or times < SLOW:
        return ()
    one = "x".join(map(str, (1, *dataset.shape[1:])))
    return (
        f"{where} is compressed in chunks of {dataset.chunks}: in random order up to {times:.0f} "
        "times as much is decompressed as is read. Faster, if it is streamed: h5repack -f NONE, or "
        f"-l {dataset.name.strip('/')}:CHUNK={one}",
    )


def note_unwritten(dataset: Any, where: str) -> tuple[str, ...]:
    """Note what was never written, as by a program that was killed: it is read as zeros."""
    if dataset.external or not dataset.size:
        return ()
    if dataset.is_virtual:
        absent, count = parts.count_unmapped(dataset), dataset.size
    elif not dataset.chunks:
        absent, count = int(not dataset.id.get_storage_size()), 1
    else:
        sides = zip(dataset.shape, dataset.chunks, strict=True)
        count = math.prod(-(-size // side) for size, side in sides)
        absent = count - int(dataset.id.get_num_chunks())
    if not absent:
        return ()
    noun = "values" if dataset.is_virtual else "parts"
    return (
        f"{where}: {absent} of {count} {noun} were never written, and are read as "
        f"{np.unique(dataset.fillvalue)[0]}",
    )


def _is_filtered(dataset: Any) -> bool:
    return bool(dataset.id.get_create_plist().get_nfilters())


def _shape(dataset: Any) -> tuple[int, ...]:
    """Return the shape of all chunks together that hold a row."""
    chunk = dataset.chunks or (1, *dataset.shape[1:])
    sides = zip(dataset.shape[1:], chunk[1:], strict=True)
    return (chunk[0], *(-(-size // side) * side for size, side in sides))
