"""Arrays in HDF5 that are read while training; see `hpc_dl.data.streamed`."""

from __future__ import annotations

import functools
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from hpc_dl.data import checked_files, validation
from hpc_dl.data.arrays import chunks, examples, parts
from hpc_dl.data.arrays.hdf5 import Hdf5File
from hpc_dl.data.arrays.stored import KEY, Array, StoredArray, native
from hpc_dl.data.dataset import Tensors
from hpc_dl.data.streamed import Keys, Reader, StreamedSplit
from hpc_dl.errors import UserError
from hpc_dl.jobspec.facts import DataFacts
from hpc_dl.jobspec.sources.arrays import Arrays

MOST_ROWS = 1024
"""Rows that are chosen in one call of the library, whose time grows with their square."""
DENSE = 8
"""Where one row in so many is chosen, those between are read as well, and left out."""


def split(
    source: Arrays, facts: DataFacts, stored: StoredArray, known: Tensors, workers: int
) -> StreamedSplit:
    """Return the examples of a split, of which the labels are `known`; none is read yet."""
    one = examples.arrange(source, np.zeros((1, *stored.shape[1:]), native(stored.dtype)))
    dtype = validation.check_examples(torch.from_numpy(one), facts.modality, "").dtype
    others = parts.other_files(stored.held, stored.path).values()
    rows = Rows(source, stored.name, checked_files.stamped([stored.path, *others]))
    reader = Reader(rows, one.shape[1:], dtype, workers)
    return StreamedSplit(facts.modality, np.arange(stored.shape[0]), known, reader)


def read_ends(source: Arrays, facts: DataFacts, stored: StoredArray, where: str) -> Tensor:
    """Read all examples in the order of the file, and return two, of the least and the greatest
    number of each column of a table, or of all there are.

    Raises UserError for numbers that are not finite.
    """
    gaps = facts.inputs[facts.modality].gaps
    otherwise = examples.otherwise(source, stored.shape)
    numbers = validation.Numbers(f"{where}: {facts.modality}", otherwise, gaps=gaps)
    ends = torch.empty(0)
    for part in _parts(source, stored):
        pixels = facts.modality == "image" and not part.is_floating_point()
        values = part if pixels else numbers.add(part)
        rows = values if facts.modality == "table" else values.reshape(-1, 1)
        found = validation.least_and_greatest(rows)
        ends = validation.least_and_greatest(torch.cat([ends, found])) if len(ends) else found
    numbers.refuse()
    return ends.view(2, *[1] * (validation.AXES[facts.modality] - 2), -1)


def _parts(source: Arrays, stored: StoredArray) -> Iterator[Tensor]:
    count, step = stored.shape[0], chunks.rows_at_once(stored.held)
    for start in range(0, count, step):
        rows = stored[start : min(start + step, count)]
        yield torch.from_numpy(examples.arrange(source, rows))


@dataclass(frozen=True)
class Rows:
    """Reads rows of an array."""

    source: Arrays
    array: str
    files: checked_files.Stamped
    """That of the array, and others that have parts of it, as they were when the run began."""

    def read(self, keys: Keys) -> Tensor:
        for file, stamps in self.files:
            if (now := checked_files.stamps(file)) != stamps:
                what = "has changed since the run began to read it" if now else "is gone"
                raise UserError(
                    f"{KEY}: {file} {what}",
                    hint="Restore it, or train on the new one as a new run: hpcdl submit --new.",
                )
        stored = _opened(self.files, self.array)
        rows, places = np.unique(keys, return_inverse=True)
        parts = np.split(rows, range(MOST_ROWS, len(rows), MOST_ROWS))
        found = np.concatenate([_choose(stored, part) for part in parts])
        given = torch.from_numpy(examples.arrange(self.source, found))
        return given.index_select(0, torch.from_numpy(places))


def _choose(stored: StoredArray, rows: Array) -> Array:
    """Read rows, which are sorted and different."""
    first, last = int(rows[0]), int(rows[-1])
    if last - first < DENSE * len(rows):
        return stored[first : last + 1][rows - first]
    return stored[rows]


@functools.lru_cache(maxsize=8)
def _opened(files: checked_files.Stamped, array: str) -> StoredArray:
    """Return an array of the first file, which stays open in this process."""
    path = files[0][0]
    file = Hdf5File(path)
    kept = chunks.kept_bytes(_find(file, array).held)
    file.close()
    return _find(Hdf5File(path, kept), array)


def _find(file: Hdf5File, array: str) -> StoredArray:
    found = file.find(array)
    if found is None:
        raise UserError(f"{KEY}: {file.path} has no array '{array}' any more")
    return found
