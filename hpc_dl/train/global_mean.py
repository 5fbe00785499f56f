"""The loss of an update as a mean over the examples of all ranks and micro-batches.

A mean is differentiated: each loss is divided by the count over all ranks, times their number, for
gradients are averaged over the ranks. The ranks add up their counts before the first backward pass.
Of several micro-batches only the first is known by then, and all are assumed to be as large;
`correct` puts that right at the end. So it does in fp16 with the number of ranks: an example's
gradient, which may overflow, is as large on eight ranks as on one.
"""

from __future__ import annotations

import torch
from torch import Tensor

from hpc_dl.train.world import World
from hpc_dl.zoo.contract import Loss

Number = Tensor | float


class Readback:
    """An asynchronous copy of a tensor to main memory, which waits for no later work.

    `Tensor.item` would wait for everything that has been queued on the device.
    """

    def __init__(self, numbers: Tensor) -> None:
        self._numbers, self._copied = numbers.detach(), None
        if numbers.is_cuda:
            self._numbers = torch.empty_like(numbers, device="cpu", pin_memory=True)
            self._numbers.copy_(numbers.detach(), non_blocking=True)
            self._copied = torch.cuda.Event()
            self._copied.record()

    def read(self) -> Tensor:
        """Wait for the copy and return the numbers."""
        if self._copied is not None:
            self._copied.synchronize()
        return self._numbers


class GlobalMean:
    """The mean loss of one update, in which every rank computes so many micro-batches."""

    def __init__(self, world: World, micro_batches: int, *, in_fp16: bool = False) -> None:
        self._world, self._rounds = world, micro_batches
        self._times = 1 if in_fp16 else world.size
        """By how much losses are larger than their part of the mean."""
        self._added = 0
        self._own_total: Tensor
        self._own_count: Number
        self._divisor: Number = 1
        """Of the losses: the count over all ranks and micro-batches, estimated from the first of
        these, by `_times`."""

    def add(self, loss: Loss) -> Tensor:
        """Return what to differentiate of a micro-batch's loss; all ranks call this together."""
        self._added += 1
        is_first, total = self._added == 1, loss.total.detach()
        self._own_total = total if is_first else self._own_total + total
        self._own_count = loss.count if is_first else self._own_count + loss.count
        if is_first or self._added == self._rounds:
            self._reduce()
        if is_first:
            expected = self._count * self._rounds
            self._divisor = expected if self._times == 1 else expected / self._times
        if isinstance(self._divisor, Tensor):  # a half could not hold it
            wide = torch.promote_types(loss.total.dtype, torch.float32)
            return loss.total / self._divisor.to(wide)
        return loss.total / self._divisor

    def correct(self, gradients: list[Tensor]) -> None:
        """Scale gradients that were averaged over the ranks to those of the mean; in place."""
        if gradients and (self._rounds > 1 or self._times < self._world.size):
            factor = self._world.size * self._divisor / self._count
            if isinstance(factor, Tensor):
                factor = factor.to(gradients[0].dtype)
            torch._foreach_mul_(gradients, factor)

    def total(self) -> float:
        """Return the sum of the loss over all ranks; waits for the forward passes alone.

        The requests of all ranks came along, and are in `world.requests` from now on.
        """
        numbers, agreed = self._readback.read(), self._world.requests
        if self._world.size == 1:
            agreed.total = agreed.own()
            return float(numbers)
        total, requests = numbers.tolist()
        agreed.total = int(requests)
        return float(total)

    def _reduce(self) -> None:
        """Add up losses and counts so far over all ranks, and their requests along with these."""
        count = self._own_count
        if self._world.size == 1:
            self._readback = Readback(self._own_total)
        else:
            numbers = (count, self._own_total, self._world.requests.own())
            row = [_to_double(it, self._world.device) for it in numbers]
            sums = self._world.sum(torch.stack(row))
            count, self._readback = sums[0], Readback(sums[1:])
        self._count = _at_least_one(count)


def _at_least_one(count: Number) -> Number:
    """Return a count to divide by: 1 where nothing counts."""
    if isinstance(count, Tensor):
        return torch.where(count > 0, count, 1)
    return count or 1


def _to_double(number: Number, device: torch.device) -> Tensor:
    """Return a number as a float64 on the device, filled there and not copied."""
    if isinstance(number, Tensor):
        return number.detach().to(torch.float64)
    return torch.full((), number, dtype=torch.float64, device=device)
