"""Averaged weights: a copy of a network that follows it slowly, and is better than its last step.

After n steps w̄ ← w̄ + (1 - d)(w - w̄) with d = min(decay, (1 + n) / (10 + n)), so that what the
network was in the beginning is soon forgotten (Polyak and Juditsky, SIAM J. Control Optim. 1992;
Tarvainen and Valpola, arXiv:1703.01780).
"""

from __future__ import annotations

import copy

import torch
from torch import Tensor, nn


class Average:
    """The average of one network's weights; statistics of batches are those of the network."""

    def __init__(self, network: nn.Module, decay: float) -> None:
        self.network = copy.deepcopy(network).requires_grad_(False)
        self.decay = decay
        self._ours: list[Tensor] = list(self.network.parameters())
        self._theirs: list[Tensor] = list(network.parameters())
        self._statistics = list(zip(self.network.buffers(), network.buffers(), strict=True))

    @torch.no_grad()
    def follow(self, steps: int) -> None:
        """Come closer to the network, which has taken so many steps."""
        weight = 1 - min(self.decay, (1 + steps) / (10 + steps))
        torch._foreach_lerp_(self._ours, self._theirs, weight)
        for ours, theirs in self._statistics:
            ours.copy_(theirs)
