"""Arrays in HDF5 that are read while training; see `hpc_dl.data.streamed`."""

from __future__ import annotations

import functools
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from hpc_dl.data import checked_files, validation
from hpc_dl.data.arrays import hdf5_files
from hpc_dl.data.arrays.files import Array, array_names, open_arrays
from hpc_dl.data.dataset import Split, Tensors
from hpc_dl.data.faults import reading
from hpc_dl.data.sources.arrays import as_examples
from hpc_dl.data.streamed import Keys, Reader, StreamedSplit
from hpc_dl.errors import UserError
from hpc_dl.jobspec.data import DataFacts
from hpc_dl.jobspec.sources.arrays import Arrays

AT_ONCE = 2**26
"""Bytes that are read at once where all examples are read in turn."""
MOST_ROWS = 1024
"""Rows that are chosen in one call of the library, whose time grows with their square."""
DENSE = 8
"""Where one row in so many is chosen, those between are read as well, and left out."""
RULE = "arrays 1"
"""Changes with what is checked."""


def splits(
    source: Arrays, facts: DataFacts, known: Mapping[str, Tensors], workers: int
) -> dict[str, Split]:
    """Return the examples of each split, of which the labels are `known`; none is read yet."""
    file = Path(source.path).expanduser()
    every: dict[str, Split] = {}
    for name, (array, _) in array_names(source).items():
        (first,) = examples_in_turn(source, facts, array, 1)
        rows = Rows(source, array, file, checked_files.stamps(file))
        reader = Reader(rows, tuple(first.shape[1:]), first.dtype, workers)
        count = len(next(iter(known[name].values())))
        every[name] = StreamedSplit(facts.modality, np.arange(count), known[name], reader)
    return every


def check(source: Arrays, facts: DataFacts, files: Sequence[Path], cache: Path) -> None:
    """Check all examples in the order of the file, once for its `files`; `cache` notes that.

    Raises UserError for examples that cannot be trained on.
    """
    way = f"{RULE} {array_names(source)} {facts.modality}"
    checked_files.check_once(lambda: _check(source, facts), way, files, cache)


def _check(source: Arrays, facts: DataFacts) -> None:
    for name, (array, _) in array_names(source).items():
        low, high = math.inf, -math.inf
        for examples in examples_in_turn(source, facts, array):
            least, most = map(float, examples.aminmax())
            low, high = min(low, least), max(high, most)
        if name == "train":
            where = f"data.path: {source.path}: {array}"
            ends = torch.tensor([low, high], dtype=torch.float64)
            validation.refuse_constant(ends, where)
            if facts.modality == "image":
                validation.refuse_dark(ends.to(examples.dtype), where)


def examples_in_turn(
    source: Arrays, facts: DataFacts, array: str, most: int | None = None
) -> Iterator[Tensor]:
    """Yield all examples of an array, or the first few, in parts; raises UserError for bad ones."""
    where = f"data.path: {source.path}: {array}"
    with open_arrays(source) as file:
        values = file[array]
        count = len(values) if most is None else most
        step = rows_at_once(values)
        for start in range(0, count, step):
            end = min(start + step, count)
            place = f"{source.path}: rows {start} to {end - 1} of '{array}'"
            with reading("data.path", place, source.name):
                rows = values[start:end]
            examples = torch.from_numpy(as_examples(source, rows))
            yield validation.check_examples(examples, facts.modality, where, start)


def rows_at_once(values: Any) -> int:
    """Return how many rows of an HDF5 array to read at once: whole chunks."""
    rows = max(1, AT_ONCE * len(values) // values.nbytes)
    chunk = values.chunks[0] if values.chunks else 1
    return -(-rows // chunk) * chunk


@dataclass(frozen=True)
class Rows:
    """Reads rows of an array."""

    source: Arrays
    array: str
    file: Path
    stamps: tuple[int, ...]
    """Of the file when the run began to read it."""

    def read(self, keys: Keys) -> Tensor:
        rows, places = np.unique(keys, return_inverse=True)
        if checked_files.stamps(self.file) != self.stamps:
            raise UserError(
                f"data.path: {self.file} has changed since the run began to read it",
                hint="Restore it, or train on the new one as a new run: hpcdl submit --new.",
            )
        place = f"{self.file}: rows {rows[0]} to {rows[-1]} of '{self.array}'"
        with reading("data.path", place, self.source.name):
            array = _opened(self.file, self.stamps, self.array)
            parts = np.split(rows, range(MOST_ROWS, len(rows), MOST_ROWS))
            found = np.concatenate([_choose(array, part) for part in parts])
        examples = torch.from_numpy(as_examples(self.source, found))
        return examples.index_select(0, torch.from_numpy(places))


def _choose(array: Any, rows: Array) -> Array:
    """Return rows of an HDF5 array; they are sorted and different."""
    first, last = int(rows[0]), int(rows[-1])
    if last - first < DENSE * len(rows):
        found: Array = array[first : last + 1][rows - first]
        return found
    return np.asarray(array[rows])


@functools.lru_cache(maxsize=8)
def _opened(file: Path, stamps: tuple[int, ...], array: str) -> Any:
    """Return an array of a file that stays open in this process."""
    return hdf5_files.open_to_stream(file, array)
