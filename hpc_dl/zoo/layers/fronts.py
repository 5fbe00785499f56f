"""Fronts: what makes a sequence of vectors of an input of any modality, before layers that read
sequences."""

from __future__ import annotations

from torch import Tensor, nn

from hpc_dl.jobspec.data import DataFacts
from hpc_dl.jobspec.log_mel import LogMel
from hpc_dl.zoo.layers.log_mel import LogMelFeatures

_SPREAD = 0.1
"""Standard deviation of the vectors of tokens before the training. With torch's 1, the many tokens
that are rare keep them, and drown what is learned of the others: of Rotten Tomatoes 3 % of the
accuracy."""
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

    def __init__(self, vocabulary: int, size: int, dropout: float) -> None:
        super().__init__(size)
        self.embedding = nn.Embedding(vocabulary, size)
        nn.init.normal_(self.embedding.weight, std=_SPREAD)
        self.dropout = nn.Dropout(dropout)

    def forward(self, example: Tensor, length: Tensor | None = None) -> Sequence:
        return self.dropout(self.embedding(example)), length


class Recordings(Front):
    """Recordings (B, T) as log-mel features, (B, frames, bands)."""

    def __init__(self, rate: float, options: LogMel) -> None:
        super().__init__(options.bands)
        self.features = LogMelFeatures(rate, options)

    def forward(self, example: Tensor, length: Tensor | None = None) -> Sequence:
        return self.features(example, length)

    def steps(self, count: int) -> int:
        return self.features.steps(count)


def of(facts: DataFacts, width: int, log_mel: LogMel | None = None, dropout: float = 0.0) -> Front:
    """Return the front of the data's modality; `width` is the size of learned vectors, `log_mel`
    the features of recordings, and `dropout` the probability of dropping a number of a token's
    vector."""
    first = next(iter(facts.inputs.values()))
    if facts.modality == "audio":
        return Recordings(first.rate, log_mel or LogMel())
    if facts.modality == "text":
        return Embedded(len(first.vocabulary), width, dropout)
    if facts.modality == "image":
        channels, _, across = facts.shape
        return Rows(channels * across)
    return Front(facts.shape[-1])
