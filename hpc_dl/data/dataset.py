"""Examples as tensors in memory: on the device, where a batch is one index_select, or beside it."""

from __future__ import annotations

import copy
import math
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace

import torch
from torch import Tensor

from hpc_dl.data.names import Names
from hpc_dl.data.splits.counts import Holdout
from hpc_dl.data.splits.holdout import positions
from hpc_dl.jobspec.facts import DataFacts
from hpc_dl.tasks.statistics import rows_at_once

Batch = Mapping[str, Tensor]
Tensors = Mapping[str, Tensor]
"""Examples by name, the first axis being the example: `image`, (N, C, H, W) uint8, or float in
[0, 1]; `label`, (N,) int64."""


class Split:
    """Some of a source's examples, and the numbers that they have in it."""

    def __init__(self, tensors: Tensors, index: Tensor | None = None) -> None:
        self.tensors = dict(tensors)
        if index is None:
            first = next(iter(tensors.values()))
            index = torch.arange(len(first), device=first.device)
        self.index = index

    def __len__(self) -> int:
        return len(self.index)

    @property
    def device(self) -> torch.device:
        """Device on which positions are to lie."""
        return self.index.device

    @property
    def lengths(self) -> Tensor | None:
        """The lengths of the examples, (N,) int64 on the CPU; None where they do not differ."""
        return None

    def to(self, device: torch.device) -> Split:
        moved = {name: tensor.to(device) for name, tensor in self.tensors.items()}
        return Split(moved, self.index.to(device))

    def subset(self, chosen: Tensor) -> Split:
        """The examples at positions `chosen` (n,) int64, as a split."""
        taken = {name: tensor[chosen] for name, tensor in self.tensors.items()}
        return Split(taken, self.index[chosen])

    def all_tensors(self) -> dict[str, Iterable[Tensor]]:
        """Return all tensors that the examples consist of, by name."""
        return {name: [tensor] for name, tensor in self.tensors.items()}

    def dtypes(self) -> dict[str, torch.dtype]:
        """Return the type of each tensor by name, as it is held or read."""
        return {name: tensor.dtype for name, tensor in self.tensors.items()}

    def to_float32(self, name: str) -> None:
        """Convert a tensor to float32."""
        self.tensors[name] = self.tensors[name].float()

    def in_order(self, name: str) -> Iterator[Tensor]:
        """Yield the values of a tensor in the order of the examples' numbers, in parts."""
        values = self.tensors[name]
        for chosen in self.parts_in_order(math.prod(values.shape[1:])):
            yield values.index_select(0, chosen)

    def parts_in_order(self, width: int) -> Iterable[Tensor]:
        """Return the positions of all examples, of `width` numbers each, in the order of their
        numbers and in parts."""
        return self.index.argsort().split(rows_at_once(width))

    def sequences_in_order(self, name: str) -> Iterator[tuple[Tensor, Tensor]]:
        """Yield all sequences in the order of their numbers, in padded parts (B, T, ...) with their
        lengths (B,)."""
        if self.lengths is None:
            for part in self.in_order(name):
                yield part, torch.full([len(part)], part.shape[1], device=part.device)
            return
        longest = int(self.lengths.max()) if len(self) else 1
        for batch in self.batches(self.parts_in_order(longest)):
            yield batch[name], batch[f"{name}_length"]

    def numbered_from(self, first: int) -> Split:
        """The same examples, with other numbers."""
        same = copy.copy(self)
        same.index = self.index + first
        return same

    def batches(self, parts: Iterable[Tensor]) -> Iterator[Batch]:
        """A batch for each of `parts`, in turn: positions (B,) int64."""
        return map(self.batch, parts)

    def batch(self, chosen: Tensor) -> Batch:
        """The examples at positions `chosen` (B,) int64; bytes become floats in [0, 1] here."""
        return {name: as_floats(tensor) for name, tensor in self.rows(chosen).items()}

    def rows(self, chosen: Tensor) -> Batch:
        """The examples at positions `chosen` (B,) int64, as they are held."""
        rows = {name: tensor.index_select(0, chosen) for name, tensor in self.tensors.items()}
        return {**rows, "index": self.index.index_select(0, chosen)}

    @property
    def size(self) -> int:
        """Bytes of the examples."""
        return sum(map(bytes_of, self.tensors.values()))


class HostSplit(Split):
    """Examples in main memory, of which each batch is copied to a device."""

    def __init__(self, split: Split, device: torch.device) -> None:
        super().__init__(split.tensors, split.index)
        self.held, self.target = split, device

    @property
    def lengths(self) -> Tensor | None:
        return self.held.lengths

    def batch(self, chosen: Tensor) -> Batch:
        rows = self.held.rows(chosen.cpu())
        return {name: as_floats(to_device(it, self.target)) for name, it in rows.items()}


def to_device(tensor: Tensor, device: torch.device) -> Tensor:
    """Copy a tensor from main memory to a device, without waiting where it is a GPU.

    A GPU copies by itself what is pinned; for anything else the host waits.
    """
    held = tensor.pin_memory() if device.type == "cuda" else tensor
    return held.to(device, non_blocking=True)


def bytes_of(tensor: Tensor) -> int:
    return tensor.numel() * tensor.element_size()


def as_floats(tensor: Tensor) -> Tensor:
    """Bytes as floats in [0, 1]; anything else as it is."""
    return tensor.float().div_(255) if tensor.dtype == torch.uint8 else tensor


@dataclass(frozen=True)
class Splits:
    """A source, divided; any split but the first may be empty."""

    facts: DataFacts
    train: Split
    validation: Split
    test: Split
    names: Names = field(default_factory=Names)
    """What the examples are called, by their numbers."""
    assets: Mapping[str, str] = field(default_factory=dict)
    """What was fitted on the training split and goes with the network: see `Source.assets`."""

    def to(self, device: torch.device) -> Splits:
        """With all examples on a device."""
        return self._each(lambda split: split.to(device))

    def held_for(self, device: torch.device) -> Splits:
        """With the examples where they are, and their batches on a device."""
        return self._each(lambda split: HostSplit(split, device))

    @property
    def size(self) -> int:
        """Bytes of all examples."""
        return self.train.size + self.validation.size + self.test.size

    def _each(self, change: Callable[[Split], Split]) -> Splits:
        return replace(
            self,
            train=change(self.train),
            validation=change(self.validation),
            test=change(self.test),
        )


def divide(given: Mapping[str, Split], facts: DataFacts, holdout: Holdout) -> Splits:
    """The splits that a source gives, and those that it does not give.

    These are taken from its training examples, of which a tensor `group` may say which are to stay
    together. An example keeps one number, counted through all that is given.
    """
    splits, first = {}, 0
    for name, split in given.items():
        splits[name] = split.numbered_from(first)
        first += len(split)
    missing = [name for name in ("validation", "test") if name not in given]
    whole, tensors = splits["train"], splits["train"].tensors
    groups, labels = (
        None if tensor is None else tensor.numpy()
        for tensor in (tensors.pop("group", None), tensors.get("label"))
    )
    if missing:
        for name, chosen in positions(len(whole), missing, holdout, groups, labels).items():
            splits[name] = whole.subset(torch.from_numpy(chosen))
    return Splits(facts, splits["train"], splits["validation"], splits["test"])
