"""Numbers on their way from the device to the host, which need not wait for what comes after them.

`Tensor.item` waits for all that the device has been given to do. Here the copy is queued at once,
and who reads it waits for that copy alone, while the device goes on with the rest.
"""

from __future__ import annotations

import torch
from torch import Tensor


class Readback:
    """A copy of a tensor (n,) in main memory, begun when it is made."""

    def __init__(self, numbers: Tensor) -> None:
        self._numbers, self._copied = numbers.detach(), None
        if numbers.is_cuda:
            self._numbers = torch.empty_like(numbers, device="cpu", pin_memory=True)
            self._numbers.copy_(numbers.detach(), non_blocking=True)
            self._copied = torch.cuda.Event()
            self._copied.record()

    def read(self) -> list[float]:
        """The numbers, as soon as they are there."""
        if self._copied is not None:
            self._copied.synchronize()
        found: list[float] = self._numbers.tolist()
        return found
