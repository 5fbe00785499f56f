"""Fronts: what makes a sequence of vectors of an input of any modality, before layers that read
sequences."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from hpc_dl.jobspec.facts import DataFacts
from hpc_dl.jobspec.frame_layers import FrameLayers
from hpc_dl.jobspec.log_mel import LogMel
from hpc_dl.zoo.layers.frames import FrameConvolutions
from hpc_dl.zoo.layers.log_mel import LogMelFeatures

_SPREAD = 0.1
"""Standard deviation of the vectors of tokens before the training. With torch's 1, the many tokens
that are rare keep them, and drown what is learned of the others: of Rotten Tomatoes 3 % of the
accuracy."""
Sequence = tuple[Tensor, Tensor | None]
"""Vectors (B, T, size), and the real lengths (B,) of each, or None where all steps are real."""

BYTE_SIZE, FILTERS = 16, 48
"""Sizes of the vectors of bytes, and of those that a convolution makes of a word's."""


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


class Spelt(Front):
    """Words as learned vectors, beside the maximum over a convolution of the bytes that they are
    spelt with (Ma and Hovy, arXiv:1603.01354).

    Words come as their id and 1 + their bytes, (B, T, 1 + bytes), with 0 after their end.
    """

    def __init__(self, vocabulary: int, size: int) -> None:
        super().__init__(size + FILTERS)
        self.embedding = nn.Embedding(vocabulary, size)
        self.bytes = nn.Embedding(1 + 256, BYTE_SIZE)
        self.convolution = nn.Conv1d(BYTE_SIZE, FILTERS, 3, padding="same")

    def forward(self, example: Tensor, length: Tensor | None = None) -> Sequence:
        spelt = example[..., 1:].flatten(0, 1)
        after = (spelt == 0)[:, None]
        found = self.bytes(spelt).transpose(1, 2).masked_fill(after, 0)
        found = self.convolution(found).masked_fill(after, -torch.inf).amax(dim=2).relu()
        spelling = found.unflatten(0, example.shape[:2])
        return torch.cat([self.embedding(example[..., 0]), spelling], dim=2), length


class Recordings(Front):
    """Recordings (B, T) as log-mel features, (B, frames, bands)."""

    def __init__(self, rate: float, options: LogMel) -> None:
        super().__init__(options.bands)
        self.features = LogMelFeatures(rate, options)

    def forward(self, example: Tensor, length: Tensor | None = None) -> Sequence:
        return self.features(example, length)

    def steps(self, count: int) -> int:
        return self.features.steps(count)


class Clips(Front):
    """Videos (B, T, C, H, W) as a learned vector of each frame."""

    def __init__(self, channels: int, options: FrameLayers) -> None:
        convolutions = FrameConvolutions(channels, options)
        super().__init__(convolutions.size)
        self.convolutions = convolutions

    def forward(self, example: Tensor, length: Tensor | None = None) -> Sequence:
        return self.convolutions(example, length), length


def of(
    facts: DataFacts,
    width: int,
    log_mel: LogMel | None = None,
    frames: FrameLayers | None = None,
    dropout: float = 0.0,
) -> Front:
    """Return the front of the data's modality.

    `width` is the size of learned vectors, `log_mel` the features of recordings, `frames` the
    convolutions of videos, and `dropout` the probability of dropping a number of a token's vector.
    """
    first = next(iter(facts.inputs.values()))
    if facts.modality == "audio":
        return Recordings(first.rate, log_mel or LogMel())
    if facts.modality == "video":
        return Clips(facts.shape[1], frames or FrameLayers())
    if facts.modality == "text" and len(first.shape) > 1:
        return Spelt(len(first.vocabulary), width)
    if facts.modality == "text":
        return Embedded(len(first.vocabulary), width, dropout)
    if facts.modality == "image":
        channels, _, across = facts.shape
        return Rows(channels * across)
    return Front(facts.shape[-1])
