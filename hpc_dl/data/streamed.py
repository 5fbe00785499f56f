"""Examples that worker processes read while training: the batches are the same, bit for bit, as of
examples in memory.

A worker is sent the keys of a batch, such as the names of files, and keeps no example.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from typing import Any, Protocol

import numpy as np
import torch
from torch import Tensor

from hpc_dl.data.dataset import Batch, Split, Tensors, as_floats, to_device
from hpc_dl.data.prefetching import Prefetcher
from hpc_dl.errors import EXIT_FAILED, UserError

Keys = np.ndarray[tuple[int, ...], np.dtype[Any]]
"""What each example is found by: the name of a file, or a row of an array."""

CPU = torch.device("cpu")
_LOST = (ConnectionError, EOFError, FileNotFoundError)
"""Errors by which a worker that died shows while its batch is being fetched."""


class Examples(Protocol):
    """Reads examples; it is sent to each worker."""

    def read(self, keys: Keys) -> Tensor:
        """Return examples in the order of their keys. Raises UserError for one that cannot be
        read."""


class StreamedSplit(Split):
    """Labels and numbers in memory, on the CPU; the examples themselves, `name`, in files."""

    def __init__(
        self,
        name: str,
        keys: Keys,
        tensors: Tensors,
        reader: Reader,
        index: Tensor | None = None,
    ) -> None:
        super().__init__(tensors, index)
        self.name, self.keys, self.reader = name, keys, reader

    def to(self, device: torch.device) -> StreamedSplit:
        reader = replace(self.reader, device=device)
        return type(self)(self.name, self.keys, self.tensors, reader, self.index)

    def subset(self, chosen: Tensor) -> StreamedSplit:
        rest = super().subset(chosen)
        keys = self.keys[chosen.numpy()]
        return type(self)(self.name, keys, rest.tensors, self.reader, rest.index)

    def dtypes(self) -> dict[str, torch.dtype]:
        return {**super().dtypes(), self.name: self.reader.dtype}

    def to_float32(self, name: str) -> None:
        if name != self.name:
            return super().to_float32(name)
        self.reader = replace(self.reader, dtype=torch.float32)
        return None

    def in_order(self, name: str) -> Iterator[Tensor]:
        if name != self.name:
            yield from super().in_order(name)
            return
        for chosen in self.parts_in_order(math.prod(self.reader.shape)):
            yield self.reader.read(self.keys[chosen.numpy()])

    def batches(self, parts: Iterable[Tensor]) -> Iterator[Batch]:
        chosen, ahead = itertools.tee(part.cpu() for part in parts)
        examples = self.reader.read_ahead(self.keys[it.numpy()] for it in ahead)
        return map(self._batch, chosen, examples)

    def batch(self, chosen: Tensor) -> Batch:
        chosen = chosen.cpu()
        return self._batch(chosen, self.reader.read(self.keys[chosen.numpy()]))

    def _batch(self, chosen: Tensor, examples: Tensor) -> Batch:
        rows = {name: to_device(it, self.reader.device) for name, it in self.rows(chosen).items()}
        return {self.name: as_floats(examples), **rows}


@dataclass(frozen=True)
class Reader:
    """Reads examples onto a device, by so many processes; copies of it share them."""

    examples: Examples
    shape: tuple[int, ...]
    """Of one example."""
    dtype: torch.dtype
    """Of the examples as they are read; bytes become floats on the device."""
    processes: int
    device: torch.device = CPU
    prefetcher: Prefetcher | None = None

    def __post_init__(self) -> None:
        if self.processes and self.prefetcher is None:
            prefetcher = Prefetcher(_OfWorker(self.examples), self.processes)
            object.__setattr__(self, "prefetcher", prefetcher)

    def read(self, keys: Keys) -> Tensor:
        """Read examples in this process. Raises UserError for one that cannot be read."""
        return to_device(self.examples.read(keys).to(self.dtype), self.device)

    def read_ahead(self, batches: Iterable[Keys]) -> Iterator[Tensor]:
        """Yield the examples of each batch, in turn, with prefetching.

        Raises UserError for an example that cannot be read, and when a worker is gone.
        """
        if self.prefetcher is None:
            yield from map(self.read, batches)
            return
        requests = ((keys, self.dtype) for keys in batches)
        try:
            pinned = self.device.type == "cuda"
            for examples in self.prefetcher.results(requests, pinned=pinned):
                if isinstance(examples, UserError):
                    raise examples
                yield examples.to(self.device, non_blocking=True)
        except (RuntimeError, *_LOST) as error:
            if not isinstance(error, _LOST) and "DataLoader worker (pid" not in str(error):
                raise
            raise UserError(
                "a process that reads examples has died: killed, or out of memory?",
                hint="Raise resources.mem, or lower data.workers or train.micro_batch. After a bus "
                "error in the log, /dev/shm was full: lower them, or give "
                "the container more of it (--shm-size).",
                exit_code=EXIT_FAILED,
            ) from None


@dataclass(frozen=True)
class _OfWorker:
    """Reads a batch in a worker, by its keys and type."""

    examples: Examples

    def __call__(self, request: tuple[Keys, torch.dtype]) -> Tensor | UserError:
        keys, dtype = request
        try:
            return self.examples.read(keys).to(dtype)
        except UserError as error:  # raised there, it would arrive as a traceback
            return error
