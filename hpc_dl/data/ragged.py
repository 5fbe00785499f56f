"""Sequences of differing lengths: values and offsets in memory, padded batches on the device."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from types import MappingProxyType

import torch
from torch import Tensor

from hpc_dl.data.dataset import Batch, Split, Tensors, bytes_of, to_device
from hpc_dl.tasks.padding import is_real


@dataclass(frozen=True)
class Ragged:
    """N sequences, one after the other.

    `values` are (elements, ...), of any integer type where they are token ids, booleans where they
    are 0 or 1; sequence n is
    `values[offsets[n]:offsets[n + 1]]`. The offsets (N + 1,) stay in main memory: how wide a batch
    is has to be known there, and a device would have to be waited for.
    """

    values: Tensor
    offsets: Tensor

    @classmethod
    def of(cls, sequences: Sequence[Tensor]) -> Ragged:
        """Join sequences (T, ...)."""
        ends = torch.tensor([0, *map(len, sequences)]).cumsum(0)
        return cls(torch.cat(list(sequences)), ends)

    def __len__(self) -> int:
        return len(self.offsets) - 1

    @property
    def lengths(self) -> Tensor:
        """The number of elements of each sequence, (N,) int64."""
        return self.offsets.diff()

    def to(self, device: torch.device) -> Ragged:
        return replace(self, values=self.values.to(device))

    def subset(self, chosen: Tensor) -> Ragged:
        """The sequences at positions `chosen` (n,) int64."""
        pairs = zip(self.offsets[chosen].tolist(), self.offsets[chosen + 1].tolist(), strict=True)
        parts = [self.values[start:end] for start, end in pairs]
        return Ragged.of(parts) if parts else Ragged(self.values[:0], self.offsets[:1] * 0)

    def padded(self, chosen: Tensor) -> tuple[Tensor, Tensor]:
        """The sequences at positions `chosen` (B,) int64, padded with 0, (B, T, ...), and their
        lengths (B,). Token ids come as int64, booleans as floats."""
        device, first = self.values.device, self.offsets.index_select(0, chosen)
        taken = self.offsets.index_select(0, chosen + 1) - first
        least, width = map(int, taken.aminmax()) if len(chosen) else (0, 0)
        starts, lengths = (to_device(it, device) for it in (first, taken))
        places = starts[:, None] + torch.arange(width, device=device)
        is_padded = least < width
        if is_padded:
            real = is_real(lengths, width)
            places = places.where(real, 0)
        found = self.values[places]
        if not found.is_floating_point():
            found = found.float() if found.dtype == torch.bool else found.long()
        if is_padded:
            found.masked_fill_(~real.view(*real.shape, *[1] * (found.ndim - 2)), 0)
        return found, lengths


class RaggedSplit(Split):
    """Examples with `ragged` features, beside those of one shape; a batch brings `NAME_length`.

    Positions are best in main memory, wherever the values are.
    """

    def __init__(
        self,
        ragged: Mapping[str, Ragged],
        tensors: Tensors = MappingProxyType({}),
        index: Tensor | None = None,
    ) -> None:
        self.ragged = dict(ragged)
        self.home = next(iter(ragged.values())).values.device
        count = len(next(iter(ragged.values())))
        super().__init__(tensors, torch.arange(count) if index is None else index)

    @property
    def lengths(self) -> Tensor:
        """The elements of all ragged features of each example, (N,) int64 on the CPU."""
        return torch.stack([it.lengths for it in self.ragged.values()]).sum(0)

    def to(self, device: torch.device) -> RaggedSplit:
        moved = {name: tensor.to(device) for name, tensor in self.tensors.items()}
        return RaggedSplit({k: it.to(device) for k, it in self.ragged.items()}, moved, self.index)

    def subset(self, chosen: Tensor) -> RaggedSplit:
        taken = {name: tensor[chosen] for name, tensor in self.tensors.items()}
        ragged = {name: it.subset(chosen) for name, it in self.ragged.items()}
        return RaggedSplit(ragged, taken, self.index[chosen])

    def all_tensors(self) -> dict[str, Iterable[Tensor]]:
        ragged = {name: [it.values, it.offsets] for name, it in self.ragged.items()}
        return {**super().all_tensors(), **ragged}

    def rows(self, chosen: Tensor) -> Batch:
        chosen = chosen.cpu()
        place = to_device(chosen, self.home)
        rows = {name: tensor.index_select(0, place) for name, tensor in self.tensors.items()}
        for name, ragged in self.ragged.items():
            rows[name], rows[f"{name}_length"] = ragged.padded(chosen)
        return {**rows, "index": to_device(self.index.index_select(0, chosen), self.home)}

    @property
    def size(self) -> int:
        return super().size + sum(bytes_of(it.values) for it in self.ragged.values())
