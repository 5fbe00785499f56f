"""Sampler: the order of examples and every seed are functions of seed, epoch and step, no state."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Literal, NamedTuple

import torch
from torch import Tensor

from hpc_dl.data.dataset import Batch, Split, to_device

if TYPE_CHECKING:
    from hpc_dl.data.transforms.augment import Augmentation
    from hpc_dl.data.transforms.user_augment import UserAugmentation

AUGMENTATION, FLIPS = 4, 5
"""Purposes of random numbers, in the key of a seed; the others are in `train.reproducibility`."""
POOL = 100
"""Batches whose examples are sorted by length together."""
Order = Literal["shuffled", "by_length", "lanes"]
"""Of an epoch's examples: at random; in batches of similar length, where they differ; or in lanes,
each following the one in the same row of the batch before."""
_MASK = 2**64 - 1
_ROUNDS = (30, 0xBF58476D1CE4E5B9), (27, 0x94D049BB133111EB)


def mix_seed(*key: int) -> int:
    """Return a 64-bit seed from integers; keys that differ anywhere give seeds that look unrelated.

    Each integer goes through SplitMix64's finaliser (Steele, Lea and Flood, OOPSLA 2014).
    """
    state = 0
    for part in key:
        state = (state + (part & _MASK) + 0x9E3779B97F4A7C15) & _MASK
        for shift, factor in _ROUNDS:
            state = ((state ^ (state >> shift)) * factor) & _MASK
        state ^= state >> 31
    return state


def coins_of_examples(index: Tensor, seed: int) -> Tensor:
    """Return a fair coin, (B,) bool, for each example by its number in `index` (B,) int64: the same
    one in every epoch, batch and rank. The finaliser is that of `mix_seed`."""
    state = index + _signed(mix_seed(seed, FLIPS))
    for shift, factor in _ROUNDS:
        state = (state ^ (state >> shift & (1 << 64 - shift) - 1)) * _signed(factor)
    return (state >> 31 ^ state) & 1 == 1


def _signed(number: int) -> int:
    """Return the int64 with the bits of an unsigned number."""
    return number - (1 << 64) if number >> 63 else number


def epoch_order(examples: int, seed: int, epoch: int) -> Tensor:
    """Return the order (examples,) int64 of the training split in an epoch."""
    generator = torch.Generator().manual_seed(mix_seed(seed, epoch))
    return torch.randperm(examples, generator=generator)


def lane_order(examples: int, lanes: int) -> Tensor:
    """Return the order (examples,) int64 in which lanes go through the split side by side: each
    example of a batch follows the one in the same row of the batch before."""
    long, rest = divmod(examples, lanes)
    starts = torch.arange(lanes) * long + torch.arange(lanes).clamp(max=rest)
    whole = starts + torch.arange(long)[:, None]
    return torch.cat([whole.flatten(), starts[:rest] + long])


def order_by_length(lengths: Tensor, batch_size: int, seed: int, epoch: int) -> Tensor:
    """Return the order (N,) int64 of an epoch in which each batch is of similar `lengths` (N,).

    Examples are shuffled, sorted by length in pools of POOL batches, and the batches are shuffled
    again, but for the last, which may be small.
    """
    generator = torch.Generator().manual_seed(mix_seed(seed, epoch))
    pools = torch.randperm(len(lengths), generator=generator).split(POOL * batch_size)
    ordered = torch.cat([it[lengths[it].argsort(stable=True)] for it in pools])
    whole = len(lengths) // batch_size
    batches = list(ordered.split(batch_size))
    order = torch.randperm(whole, generator=generator).tolist()
    return torch.cat([batches[n] for n in order] + batches[whole:])


def rank_slice(count: int, rank: int, world_size: int) -> slice:
    """Return a rank's part of `count` examples; parts differ by one at most, and may be empty.

    Rank 0 never has less than another: what is kept of all ranks' buffers is its own.
    """
    start, end = (-(-count * it // world_size) for it in (rank, rank + 1))
    return slice(start, end)


class _Share(NamedTuple):
    """One rank's share of a step."""

    epoch: int
    step: int
    """In the epoch."""
    parts: Sequence[Tensor]
    """The positions (B,) int64 of each micro-batch."""


class Batches:
    """One rank's share of the global batches of a training split.

    Batch b of an epoch holds the same samples on any world size, and the last one what is left.
    """

    def __init__(
        self,
        split: Split,
        batch_size: int,
        micro_batch: int,
        seed: int,
        rank: int,
        world_size: int,
        augmentation: Augmentation | UserAugmentation | None = None,
        *,
        order: Order = "shuffled",
    ) -> None:
        self.split = split
        self.batch_size = batch_size
        self.micro_batch = micro_batch
        self.seed = seed
        self.rank = rank
        self.world_size = world_size
        self.augmentation = augmentation
        self.order = order

    def steps(self, epoch: int, first: int = 0) -> Iterator[list[Batch | None]]:
        """Yield this rank's micro-batches, step by step, from step `first` of an epoch on.

        Seeking costs nothing. All ranks have as many, for some computations are collective: None
        stands where this rank has no example left, and takes part.
        """
        return self._micro_batches(self._shares(epoch, first))

    def training_steps(self, first: int, last: int) -> Iterator[list[Batch | None]]:
        """Yield this rank's micro-batches, step by step, from step `first` of a training to `last`,
        through all epochs: the first of an epoch may be prefetched at the end of the one before."""
        epoch, number = self._place(first)
        later = itertools.chain.from_iterable(map(self._shares, itertools.count(epoch + 1)))
        shares = itertools.chain(self._shares(epoch, number), later)
        return self._micro_batches(itertools.islice(shares, last - first))

    def _micro_batches(self, shares: Iterator[_Share]) -> Iterator[list[Batch | None]]:
        """Yield the micro-batches of each share, and None where another rank has more."""
        sizes = (self.batch_size, len(self.split) % self.batch_size)
        takes_part = any(range(size)[self._rows(size, self.rank)] for size in sizes)
        # A rank that has no example in any batch reads none ahead: all shares would be kept.
        now, ahead = itertools.tee(shares) if takes_part else (shares, iter(()))
        batches = self.split.batches(part for share in ahead for part in share.parts)
        for epoch, step, parts in now:
            without = self._micro_batch_count(step, parts) - len(parts)
            own = itertools.islice(batches, len(parts))
            yield self._augment(own, epoch, step) + [None] * without

    def _micro_batch_count(self, step: int, parts: Sequence[Tensor]) -> int:
        """Return the number of micro-batches of a step, the same on every rank."""
        if self.world_size == 1:
            return len(parts)
        batch = min(self.batch_size, len(self.split) - step * self.batch_size)
        largest = self._rows(batch, rank=0)
        return math.ceil((largest.stop - largest.start) / self.micro_batch)

    def _rows(self, batch: int, rank: int) -> slice:
        """Return a rank's rows of a global batch; in lanes the same ones throughout an epoch."""
        rows = rank_slice(
            self.batch_size if self.order == "lanes" else batch, rank, self.world_size
        )
        return slice(min(rows.start, batch), min(rows.stop, batch))

    def _shares(self, epoch: int, first: int = 0) -> Iterator[_Share]:
        """Yield this rank's share of each step of an epoch, from step `first` on."""
        order = to_device(self._order(epoch), self.split.device)
        rest = order[first * self.batch_size :]
        chosen_by_step = rest.split(self.batch_size) if len(rest) else ()
        for step, chosen in enumerate(chosen_by_step, start=first):
            mine = chosen
            if self.world_size > 1:
                mine = chosen[self._rows(len(chosen), self.rank)]
            whole = (mine,) if len(mine) else ()
            parts = whole if len(mine) <= self.micro_batch else mine.split(self.micro_batch)
            yield _Share(epoch, step, parts)

    def _order(self, epoch: int) -> Tensor:
        """Return the order of the split in an epoch, (examples,) int64 on the CPU."""
        count, size, lengths = len(self.split), self.batch_size, self.split.lengths
        if self.order == "lanes":
            # Splits that are drawn are in an order of their own; examples follow by their numbers.
            return self.split.index.cpu().argsort()[lane_order(count, size)]
        if self.order == "by_length" and lengths is not None:
            return order_by_length(lengths, size, self.seed, epoch)
        return epoch_order(count, self.seed, epoch)

    def of_step(self, step: int) -> list[Batch]:
        """Return this rank's micro-batches of any step of the training."""
        share = next(self._shares(*self._place(step)))
        return self._augment(map(self.split.batch, share.parts), share.epoch, share.step)

    def _place(self, step: int) -> tuple[int, int]:
        """Return the epoch of a step of the training, and its number in that epoch."""
        return divmod(step, math.ceil(len(self.split) / self.batch_size))

    def _augment(self, micro_batches: Iterator[Batch], epoch: int, step: int) -> list[Batch]:
        """Return the micro-batches of a step, augmented."""
        if self.augmentation:
            key = (self.seed, AUGMENTATION, epoch, step, self.rank)
            micro_batches = self.augmentation.of(micro_batches, key, epoch)
        return list(micro_batches)

    def first_examples(self, count: int) -> Batch:
        """Return so many examples of the split, augmented, for their shapes."""
        chosen = torch.arange(min(count, len(self.split)), device=self.split.device)
        (batch,) = self._augment(iter([self.split.batch(chosen)]), 0, 0)
        return batch

    def dummy_batch(self) -> Batch:
        """Return one example, for a rank that has none and computes all the same."""
        return self.split.batch(torch.zeros(1, dtype=torch.int64, device=self.split.device))


def held_out(
    split: Split, batch_size: int, rank: int, world_size: int, *, by_length: bool = False
) -> Iterator[Batch]:
    """Return batches of this rank's share of a split, in the order of the split, or `by_length`,
    the longest first, where examples differ: these are padded less, and what has no room in memory
    is the first batch."""
    share = rank_slice(len(split), rank, world_size)
    positions, lengths = torch.arange(share.start, share.stop), split.lengths
    if by_length and lengths is not None:
        positions = positions[lengths[share].argsort(descending=True, stable=True)]
    placed = to_device(positions, split.device)
    return split.batches(placed.split(batch_size) if len(placed) else ())
