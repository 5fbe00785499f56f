"""The loss of an update as a mean over the examples of all ranks and micro-batches.

A mean is differentiated: each loss is divided by the count over all ranks, times their number, for
gradients are averaged over the ranks. Where examples are counted, all ranks know how many there
are, and add up their losses during the backward pass. Other counts, as of tokens, they add up
before it. Of several micro-batches only the first is known by then, and all are assumed to be as
large; `correct` puts that right at the end. So it does in fp16 with the number of ranks: an
example's gradient, which may overflow, is as large on eight ranks as on one.
"""

from __future__ import annotations

import torch
from torch import Tensor

from hpc_dl.train.world import PendingSum, World
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

    def __init__(
        self,
        world: World,
        micro_batches: int,
        examples: int | None = None,
        *,
        in_fp16: bool = False,
    ) -> None:
        self._world, self._rounds = world, micro_batches
        self._examples = examples if micro_batches == 1 else None
        """Of the global batch, if known: what losses count whose count is an int."""
        self._times = 1 if in_fp16 else world.size
        """By how much losses are larger than their part of the mean."""
        self._added = 0
        self._own_total: Tensor
        self._own_count: Number
        self._sum: PendingSum | None = None
        """Of counts, losses and requests over the ranks, until it is waited for."""
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
            expected = self._expected()
            self._divisor = expected if self._times == 1 else expected / self._times
        if isinstance(self._divisor, Tensor):  # a half could not hold it
            wide = torch.promote_types(loss.total.dtype, torch.float32)
            return loss.total / self._divisor.to(wide)
        return loss.total / self._divisor

    def correct(self, gradients: list[Tensor]) -> None:
        """Scale gradients that were averaged over the ranks to those of the mean; in place."""
        factor: Number = self._world.size / self._times
        if self._rounds > 1:
            self._finish()
            factor = self._world.size * self._divisor / self._count
            if gradients and isinstance(factor, Tensor):
                factor = factor.to(gradients[0].dtype)
        if gradients and (self._rounds > 1 or factor != 1):
            torch._foreach_mul_(gradients, factor)

    def total(self) -> float:
        """Return the sum of the loss over all ranks; a GPU is waited for only until the forward
        passes have ended.

        The requests of all ranks came along, and are in `world.requests` from now on.
        """
        self._finish()
        numbers, agreed = self._readback.read(), self._world.requests
        if self._world.size == 1:
            agreed.total = agreed.own()
            return float(numbers)
        total, requests = numbers.tolist()
        agreed.total = int(requests)
        return float(total)

    def _expected(self) -> Number:
        """Return the count over all ranks and micro-batches; without waiting, if it is known."""
        if self._examples is not None and not isinstance(self._own_count, Tensor):
            return self._examples
        self._finish()
        return self._count * self._rounds

    def _reduce(self) -> None:
        """Begin to add up losses and counts so far over the ranks, and their requests with them."""
        if self._world.size == 1:
            self._count, self._readback = _at_least_one(self._own_count), Readback(self._own_total)
            return
        numbers = (self._own_count, self._own_total, self._world.requests.own())
        row = [_to_double(it, self._world.device) for it in numbers]
        self._sum = self._world.begin_sum(torch.stack(row))
        if self._world.device.type != "cpu":  # the device waits, and its later work with it
            self._finish()

    def _finish(self) -> None:
        """Wait for the sums over the ranks."""
        if self._sum is not None:
            count, *_ = sums = self._sum.wait()
            self._count, self._readback, self._sum = _at_least_one(count), Readback(sums[1:]), None


def _at_least_one(count: Number) -> Number:
    """Return a count to divide by: 1 where nothing counts. One in main memory becomes a number of
    Python's, with which the rest is quicker."""
    if isinstance(count, Tensor) and count.device.type == "cpu":
        count = count.item()
    if isinstance(count, Tensor):
        return torch.where(count > 0, count, 1)
    return count or 1


def _to_double(number: Number, device: torch.device) -> Tensor:
    """Return a number as a float64 on the device, filled there and not copied."""
    if isinstance(number, Tensor):
        return number.detach().to(torch.float64)
    return torch.full((), number, dtype=torch.float64, device=device)
