"""The loss of a turn as a mean over the examples of all ranks, of which each rank computes some.

What is differentiated is a mean as well, for in fp16 the gradient of a sum overflows: each loss is
divided by the count over all ranks, so that an example's gradient is as large on eight ranks as on
one. The ranks add up their counts before the first backward pass. Of several micro-batches only the
first is known by then, and all are taken for as large; what is wrong about that is corrected in the
end.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from hpc_dl.train.readback import Readback
from hpc_dl.train.world import World
from hpc_dl.zoo.contract import Loss

Number = Tensor | float


class GlobalMean:
    """The mean of one turn, in which every rank computes so many micro-batches."""

    def __init__(self, world: World, micro_batches: int, asked: Callable[[], int]) -> None:
        self._world, self._rounds, self._asked = world, micro_batches, asked
        self._losses: list[Loss] = []
        self._expected: Number = 1
        """The count over all ranks and micro-batches, as the first of these suggest."""

    def add(self, loss: Loss) -> Tensor:
        """What to differentiate of a micro-batch's loss; all ranks have to call this together."""
        self._losses.append(loss)
        done = len(self._losses)
        if done in (1, self._rounds):
            self._add_up()
        if done == 1:
            self._expected = self._count * self._rounds
        if isinstance(self._expected, Tensor):  # a half could not hold it
            wide = torch.promote_types(loss.total.dtype, torch.float32)
            return loss.total / self._expected.to(wide)
        return loss.total / self._expected

    def correct(self, gradients: list[Tensor]) -> None:
        """Turn gradients that have been averaged over the ranks into those of the mean."""
        if gradients and self._rounds * self._world.size > 1:
            factor = self._world.size * self._expected / self._count
            if isinstance(factor, Tensor):
                factor = factor.to(gradients[0].dtype)
            torch._foreach_mul_(gradients, factor)

    def read(self) -> tuple[float, int]:
        """The sum of the loss over all ranks, and of what they were asked for meanwhile.

        Waits for the forward passes alone.
        """
        if self._world.size == 1:
            return self._readback.read()[0], self._asked()
        total, asked = self._readback.read()
        return total, int(asked)

    def _add_up(self) -> None:
        """Add up what there is so far, over all ranks."""
        total = sum(loss.total.detach() for loss in self._losses)
        count = sum(loss.count for loss in self._losses)
        if self._world.size == 1:
            self._readback = Readback(torch.as_tensor(total)[None])
        else:
            row = [_as_double(it, self._world.device) for it in (count, total, self._asked())]
            sums = self._world.sum(torch.stack(row))
            count, self._readback = sums[0], Readback(sums[1:])
        self._count = _or_one(count)


def _or_one(count: Number) -> Number:
    """A count to divide by: where nothing counts, there is nothing to divide."""
    if isinstance(count, Tensor):
        return torch.where(count > 0, count, 1)
    return count or 1


def _as_double(number: Number, device: torch.device) -> Tensor:
    """A number as a tensor on a device, which is written there and not copied."""
    if isinstance(number, Tensor):
        return number.detach().to(torch.float64)
    return torch.full((), number, dtype=torch.float64, device=device)
