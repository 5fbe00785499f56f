"""Conditional random field over the outputs of a network of steps."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from hpc_dl.tasks import chain
from hpc_dl.tasks.padding import is_real


class ConditionalRandomField(nn.Module):
    """Wraps a network of steps so that its logits of tags (B, T, tags) become log-potentials of
    pairs of tags, (B, T, tags, tags): a learned number for each tag after each is added to them."""

    def __init__(self, network: nn.Module, tags: int) -> None:
        super().__init__()
        self.network = network
        self.first = nn.Parameter(torch.zeros(tags))
        self.after = nn.Parameter(torch.zeros(tags, tags))

    def forward(self, example: Tensor, length: Tensor | None = None) -> Tensor:
        logits = self.network(example, length)[:, :, None]
        begun = (logits[:, :1] + self.first).expand(-1, -1, len(self.after), -1)
        potentials = torch.cat([begun, logits[:, 1:] + self.after], dim=1)
        if length is None:
            return potentials
        return chain.keep_tag(potentials, is_real(length, potentials.shape[1]))
