"""What recurrent networks have in common: a sequence goes in, and its last states are judged."""

from __future__ import annotations

from contextlib import AbstractContextManager, nullcontext

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
        sequence = rows(example)
        with _without_bf16(sequence.device.type):
            _, last = self.cells(sequence)
        state = last[0] if isinstance(last, tuple) else last  # (layers * ways, B, hidden)
        ways = 2 if self.cells.bidirectional else 1
        return self.head(torch.cat(list(state[-ways:]), dim=1))


def _without_bf16(device: str) -> AbstractContextManager[object]:
    """Have recurrent layers compute in fp32 where the rest is to compute in bf16.

    Autocast has no bf16 for them: on a GPU it takes fp16, whose range is not bf16's, and on CPUs
    some of them have no kernel.
    """
    in_bf16 = (
        torch.is_autocast_enabled(device) and torch.get_autocast_dtype(device) is torch.bfloat16
    )
    return torch.autocast(device, enabled=False) if in_bf16 else nullcontext()


def rows(example: Tensor) -> Tensor:
    """Images (B, C, H, W) as sequences of rows (B, H, C * W); sequences (B, T, F) as they are."""
    return example.transpose(1, 2).flatten(2) if example.ndim == 4 else example


def features(facts: DataFacts) -> int:
    """How many numbers a step of the sequence has."""
    if facts.kind == "image":
        channels, _, width = facts.shape
        return channels * width
    return facts.shape[-1]
