"""Sequences of differing lengths that worker processes read while training: the padded batches are
the same, bit for bit, as of sequences in memory."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Protocol

import numpy as np
import torch
from torch import Tensor
from torch.nn.utils.rnn import pad_sequence

from hpc_dl.data.dataset import Tensors
from hpc_dl.data.streamed import Keys, Reader, StreamedSplit
from hpc_dl.errors import UserError

Key = Any
"""What a sequence is found by, such as the path of its file."""


class Sequences(Protocol):
    """Reads sequences; it is sent to each worker."""

    def read(self, key: Key) -> Tensor:
        """Return a sequence, (T, ...). Raises UserError for one that cannot be read."""


@dataclass(frozen=True)
class PaddedSequences:
    """Reads padded batches (B, T, ...) by rows of `keys_of`."""

    sequences: Sequences

    def read(self, keys: Keys) -> Tensor:
        return pad_sequence([self._read(*it) for it in keys], batch_first=True)

    def _read(self, key: Key, length: int) -> Tensor:
        found = self.sequences.read(key)
        if len(found) != length:
            raise UserError(f"{key} has changed: its length was {length}, and is now {len(found)}")
        return found


class StreamedRaggedSplit(StreamedSplit):
    """Labels, numbers and lengths in memory, on the CPU; the sequences themselves, `name`, in
    files; a batch brings `NAME_length`. The keys are rows of `keys_of`."""

    @cached_property
    def lengths(self) -> Tensor:
        return torch.from_numpy(self.keys[:, 1].astype(np.int64))

    def rows(self, chosen: Tensor) -> dict[str, Tensor]:
        return {**super().rows(chosen), f"{self.name}_length": self.lengths[chosen]}


def keys_of(keys: Sequence[Key], lengths: Sequence[int]) -> Keys:
    """Return the keys of a split, (N, 2): what each sequence is found by, and its length, which has
    to be known before it is read."""
    found = np.empty((len(keys), 2), dtype=object)
    found[:, 0], found[:, 1] = keys, lengths
    return found


def split_of(
    name: str,
    sequences: Sequences,
    keys: Keys,
    tensors: Tensors,
    dtype: torch.dtype,
    processes: int,
) -> StreamedRaggedSplit:
    """Return sequences of one input, `name`; none is read yet. Bytes become floats on the device;
    token ids have to be int64."""
    shape = (int(max(keys[:, 1], default=1)),)
    reader = Reader(PaddedSequences(sequences), shape, dtype, processes)
    return StreamedRaggedSplit(name, keys, tensors, reader)
