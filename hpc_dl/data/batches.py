"""Batches of a split: which step trains on which samples is a function of seed, epoch and step."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator, Sequence

import torch
from torch import Tensor

from hpc_dl.data.dataset import Batch, Split
from hpc_dl.data.device_transfer import to_device
from hpc_dl.data.order import AUGMENTATION, epoch_order, lane_order, rank_slice
from hpc_dl.data.transforms.augment import Augmentation


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
        augmentation: Augmentation | None = None,
        *,
        lanes: bool = False,
    ) -> None:
        """In `lanes` each example follows the one in the same row of the batch before."""
        self.split = split
        self.batch_size = batch_size
        self.micro_batch = micro_batch
        self.seed = seed
        self.rank = rank
        self.world_size = world_size
        self.augmentation = augmentation
        self.lanes = lanes

    def steps(self, epoch: int, first: int = 0) -> Iterator[list[Batch | None]]:
        """From step `first` of an epoch on: this rank's micro-batches, step by step.

        Seeking costs nothing. All ranks have as many, for they compute some things together: None
        stands where this rank has no sample left, and takes part.
        """
        shares = list(self._shares(epoch, first))
        batches = self.split.batches(part for share in shares for part in share)
        for step, share in enumerate(shares, start=first):
            own = self._augmented(itertools.islice(batches, len(share)), epoch, step)
            yield own + [None] * (self._rounds(step) - len(share))

    def _rounds(self, step: int) -> int:
        """How many micro-batches every rank makes of a step of an epoch."""
        batch = min(self.batch_size, len(self.split) - step * self.batch_size)
        largest = self._rows(batch, rank=0)
        return math.ceil((largest.stop - largest.start) / self.micro_batch)

    def _rows(self, batch: int, rank: int) -> slice:
        """A rank's rows of a global batch; in lanes the same ones throughout an epoch."""
        rows = rank_slice(self.batch_size if self.lanes else batch, rank, self.world_size)
        return slice(min(rows.start, batch), min(rows.stop, batch))

    def _shares(self, epoch: int, first: int) -> Iterator[Sequence[Tensor]]:
        """Step by step the positions (B,) int64 in each of this rank's micro-batches."""
        count, size = len(self.split), self.batch_size
        order = lane_order(count, size) if self.lanes else epoch_order(count, self.seed, epoch)
        order = to_device(order, self.split.device)
        for start in range(first * self.batch_size, len(order), self.batch_size):
            chosen = order[start : start + self.batch_size]
            mine = chosen[self._rows(len(chosen), self.rank)]
            yield mine.split(self.micro_batch) if len(mine) else ()

    def of_step(self, step: int) -> list[Batch]:
        """This rank's micro-batches of any step of the training."""
        epoch, number = divmod(step, math.ceil(len(self.split) / self.batch_size))
        share = next(self._shares(epoch, number))
        return self._augmented(map(self.split.batch, share), epoch, number)

    def _augmented(self, micro_batches: Iterator[Batch], epoch: int, step: int) -> list[Batch]:
        """The micro-batches of a step of an epoch, as they are trained on."""
        if self.augmentation:
            key = (self.seed, AUGMENTATION, epoch, step, self.rank)
            micro_batches = self.augmentation.of(micro_batches, key)
        return list(micro_batches)

    def dummy_batch(self) -> Batch:
        """Return one example, for a rank that has none and computes all the same."""
        return self.split.batch(torch.zeros(1, dtype=torch.int64, device=self.split.device))


def held_out(split: Split, batch_size: int, rank: int, world_size: int) -> Iterator[Batch]:
    """This rank's share of a split, in its natural order."""
    share = rank_slice(len(split), rank, world_size)
    positions = torch.arange(share.start, share.stop, device=split.device)
    return split.batches(positions.split(batch_size) if len(positions) else ())
