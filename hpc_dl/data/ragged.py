"""Sequences of differing lengths: values and offsets in memory, padded batches on the device."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from types import MappingProxyType

import torch
from torch import Tensor

from hpc_dl.data.dataset import Batch, Split, Tensors, bytes_of, to_device
from hpc_dl.data.sampler import mix_seed
from hpc_dl.tasks.padding import is_real

POOL = 100
"""Batches whose examples are sorted by length together."""


@dataclass(frozen=True)
class Ragged:
    """N sequences, one after the other.

    `values` are (elements, ...), of any integer type where they are token ids; sequence n is
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
        lengths (B,). Token ids come as int64, never as floats."""
        device, lengths = self.values.device, self.lengths[chosen]
        width = int(lengths.max()) if len(chosen) else 0
        starts, lengths = (to_device(it, device) for it in (self.offsets[chosen], lengths))
        real = is_real(lengths, width)
        places = (starts[:, None] + torch.arange(width, device=device)).where(real, 0)
        found = self.values[places]
        if not found.is_floating_point():
            found = found.long()
        return found.masked_fill_(~real.view(*real.shape, *[1] * (found.ndim - 2)), 0), lengths


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
        return {**rows, "index": to_device(self.index[chosen], self.home)}

    @property
    def size(self) -> int:
        return super().size + sum(bytes_of(it.values) for it in self.ragged.values())


def batches_by_length(lengths: Tensor, batch_size: int, seed: int, epoch: int) -> list[Tensor]:
    """The batches of an epoch, positions (B,) each, of examples of similar `lengths` (N,).

    Examples are shuffled, sorted by length in pools of POOL batches, and the batches are shuffled
    again, but for the last, which may be small.
    """
    generator = torch.Generator().manual_seed(mix_seed(seed, epoch))
    pools = torch.randperm(len(lengths), generator=generator).split(POOL * batch_size)
    ordered = torch.cat([it[lengths[it].argsort(stable=True)] for it in pools])
    whole = len(lengths) // batch_size
    batches = list(ordered.split(batch_size))
    order = torch.randperm(whole, generator=generator).tolist()
    return [batches[n] for n in order] + batches[whole:]


def batches_of_tokens(lengths: Tensor, tokens: int, seed: int, epoch: int) -> list[Tensor]:
    """The batches of an epoch, positions (B,) each, that hold at most `tokens` when padded; an
    example that is longer than that is a batch of its own."""
    generator = torch.Generator().manual_seed(mix_seed(seed, epoch))
    shuffled = torch.randperm(len(lengths), generator=generator)
    ordered = shuffled[lengths[shuffled].argsort(stable=True)]
    batches, first = [], 0
    for last, width in enumerate(lengths[ordered].tolist()):  # the longest so far
        if last > first and width * (last + 1 - first) > tokens:
            batches.append(ordered[first:last])
            first = last
    batches.append(ordered[first:])
    return [batches[n] for n in torch.randperm(len(batches), generator=generator).tolist()]
