"""Buffers of networks, such as the statistics of batch norm: a forward pass changes them."""

from __future__ import annotations

from collections.abc import Iterable

import torch
from torch import Tensor, nn


class Buffers:
    """The buffers of some networks, with a copy to go back to."""

    def __init__(self, networks: Iterable[nn.Module]) -> None:
        self._of_type: dict[torch.dtype, list[Tensor]] = {}  # copied at once, each in one go
        for buffer in (it for network in networks for it in network.buffers()):
            self._of_type.setdefault(buffer.dtype, []).append(buffer)
        self._copies = {
            kind: [torch.empty_like(it) for it in buffers]
            for kind, buffers in self._of_type.items()
        }

    @torch.no_grad()
    def keep(self) -> None:
        """Copy them as they are now."""
        for kind, buffers in self._of_type.items():
            torch._foreach_copy_(self._copies[kind], buffers)

    @torch.no_grad()
    def restore(self) -> None:
        """Make them what they were when they were kept."""
        for kind, buffers in self._of_type.items():
            torch._foreach_copy_(buffers, self._copies[kind])
