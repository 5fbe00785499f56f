"""What recurrent networks have in common: a sequence goes in, and its last states are judged."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from hpc_dl.spec.data import DataFacts


class Reader(nn.Module):
    """Reads a sequence (B, T, F), or an image (B, C, H, W) row by row, to outputs (B, outputs)."""

    def __init__(self, cells: nn.RNNBase, dropout: float, outputs: int) -> None:
        super().__init__()
        self.cells = cells
        ways = 2 if cells.bidirectional else 1
        self.head = nn.Sequential(nn.Dropout(dropout), nn.Linear(ways * cells.hidden_size, outputs))

    def forward(self, example: Tensor) -> Tensor:
        _, last = self.cells(rows(example))
        state = last[0] if isinstance(last, tuple) else last  # (layers * ways, B, hidden)
        ways = 2 if self.cells.bidirectional else 1
        return self.head(torch.cat(list(state[-ways:]), dim=1))


def rows(example: Tensor) -> Tensor:
    """Images (B, C, H, W) as sequences of rows (B, H, C * W); sequences (B, T, F) as they are."""
    return example.transpose(1, 2).flatten(2) if example.ndim == 4 else example


def features(facts: DataFacts) -> int:
    """How many numbers a step of the sequence has."""
    if facts.kind == "image":
        channels, _, width = facts.shape
        return channels * width
    return facts.shape[-1]
