"""Log-mel features of recordings (Davis and Mermelstein, IEEE Trans. ASSP 28 (1980)): the energy of
short frames in bands that are equally wide on the mel scale of pitch,

    mel(f) = 2595 log10(1 + f / 700 Hz)

(O'Shaughnessy, Speech Communication, 1987; as HTK has it), in logarithms, and standardised band by
band with mean and deviation of the training split.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from contextlib import AbstractContextManager, nullcontext

import torch
from torch import Tensor

from hpc_dl.jobspec.log_mel import LogMel
from hpc_dl.tasks.padding import is_real
from hpc_dl.tasks.statistics import Moments
from hpc_dl.zoo.layers.standardise import StandardisedSequences, Statistics

FLOOR = 1e-6
"""Added to energies: about those of the rounding of 16-bit samples."""


class LogMelFeatures(StandardisedSequences):
    """Recordings (B, T), samples in [-1, 1], to standardised features (B, frames, bands).

    Frame t is about sample t * hop; what is beyond either end of a recording is silence, so that a
    padded recording has the frames, and the numbers, that it has alone.
    """

    input = "audio"
    window: Tensor
    filters: Tensor

    def __init__(self, rate: float, options: LogMel) -> None:
        """`rate` is in samples a second."""
        super().__init__()
        self.hop = max(round(rate * options.hop / 1000), 1)
        samples = max(round(rate * options.window / 1000), 2)
        filters = _filters(options.bands, rate, samples)
        self.size_of_transform = 2 * (len(filters) - 1)
        self.register_buffer("window", torch.hann_window(samples), persistent=False)
        self.register_buffer("filters", filters, persistent=False)
        self.statistics = Statistics([options.bands])

    def forward(
        self, example: Tensor, length: Tensor | None = None
    ) -> tuple[Tensor, Tensor | None]:
        """Return features, and the real frames (B,) of each recording where it has a length."""
        with _without_autocast(example.device.type):
            standard = self.statistics.standardised(self._features(example, length))
        if length is None:
            return standard, None
        frames = length // self.hop + 1
        return standard * is_real(frames, standard.shape[1])[..., None], frames

    def fit(self, sequences: Iterable[tuple[Tensor, Tensor]]) -> None:
        device = self.window.device
        parts = (self._real(*(it.to(device) for it in part)) for part in sequences)
        self.statistics.fit(Moments.of_parts(parts))

    def steps(self, count: int) -> int:
        """Return how many frames recordings of `count` samples have."""
        return count // self.hop + 1

    def _real(self, example: Tensor, length: Tensor) -> Tensor:
        """Return the features of all real frames, (frames, bands)."""
        features = self._features(example, length)
        return features[is_real(length // self.hop + 1, features.shape[1])]

    def _features(self, example: Tensor, length: Tensor | None) -> Tensor:
        """Return features that are not standardised, (B, frames, bands)."""
        if length is not None:
            example = example * is_real(length, example.shape[1])
        spectrum = torch.stft(
            example.float(),
            self.size_of_transform,
            self.hop,
            len(self.window),
            self.window,
            pad_mode="constant",
            return_complex=True,
        )
        energy = torch.view_as_real(spectrum).square().sum(-1).transpose(1, 2) @ self.filters
        return (energy + FLOOR).log()


def _without_autocast(device: str) -> AbstractContextManager[object]:
    """Disable autocast: energies go beyond what fp16 holds, and bf16 has too few digits."""
    if not torch.amp.is_autocast_available(device):
        return nullcontext()
    return torch.autocast(device, enabled=False)


def _filters(bands: int, rate: float, samples: int) -> Tensor:
    """Return triangular filters (frequencies, bands) of a transform that is fine enough for each to
    have a frequency, and no shorter than so many samples."""
    size = 2 ** math.ceil(math.log2(samples))
    while True:
        filters = _triangles(bands, rate, size)
        if filters.any(dim=0).all():
            return filters
        size *= 2


def _triangles(bands: int, rate: float, size: int) -> Tensor:
    """Return filters (size / 2 + 1, bands), each from the middle of the one before to that of the
    one after."""
    frequencies = torch.linspace(0, rate / 2, size // 2 + 1, dtype=torch.float64)
    mels = torch.linspace(0, _mel(rate / 2), bands + 2, dtype=torch.float64)
    edges = 700 * (10 ** (mels / 2595) - 1)
    low, middle, high = edges[:-2], edges[1:-1], edges[2:]
    rising = (frequencies[:, None] - low) / (middle - low)
    falling = (high - frequencies[:, None]) / (high - middle)
    return torch.minimum(rising, falling).clamp(min=0).float()


def _mel(frequency: float) -> float:
    return 2595 * math.log10(1 + frequency / 700)
