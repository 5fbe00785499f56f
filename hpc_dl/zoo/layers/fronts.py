"""Fronts: what makes a sequence of vectors of an input of any modality, before layers that read
sequences."""

from __future__ import annotations

from torch import Tensor, nn

from hpc_dl.jobspec.data import DataFacts

Sequence = tuple[Tensor, Tensor | None]
"""Vectors (B, T, size), and the real lengths (B,) of each, or None where all steps are real."""


class Front(nn.Module):
    """Sequences (B, T, size), such as time series and piano rolls, as they are."""

    def __init__(self, size: int) -> None:
        """`size` is that of the vectors."""
        super().__init__()
        self.size = size

    def forward(self, example: Tensor, length: Tensor | None = None) -> Sequence:
        return example, length

    def steps(self, count: int) -> int:
        """Return how many vectors come of `count` elements of an input."""
        return count


class Rows(Front):
    """Images (B, C, H, W) row by row, (B, H, C * W)."""

    def forward(self, example: Tensor, length: Tensor | None = None) -> Sequence:
        return example.transpose(1, 2).flatten(2), length


class Embedded(Front):
    """Token ids (B, T) as learned vectors."""

    def __init__(self, vocabulary: int, size: int) -> None:
        super().__init__(size)
        self.embedding = nn.Embedding(vocabulary, size)

    def forward(self, example: Tensor, length: Tensor | None = None) -> Sequence:
        return self.embedding(example), length


def of(facts: DataFacts, width: int) -> Front:
    """Return the front of the data's modality; `width` is the size of learned vectors."""
    first = next(iter(facts.inputs.values()))
    if facts.modality == "text":
        return Embedded(len(first.vocabulary), width)
    if facts.modality == "image":
        channels, _, across = facts.shape
        return Rows(channels * across)
    return Front(facts.shape[-1])
