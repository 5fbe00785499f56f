"""Generator of clips in which a digit moves, each a pure function of a seed and its number.

What leaves a frame at one side enters it at the other, so that where a digit is tells nothing of
where it goes: no single frame has information about the class.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from hpc_dl.data.streamed import Keys
from hpc_dl.jobspec.sources.synthetic_moving_digits import DIRECTIONS, SIDE

SLOWEST, FASTEST = 1.0, 3.0
"""Speeds in pixels a frame."""

Pixels = np.ndarray[tuple[int, ...], np.dtype[np.uint8]]
Places = np.ndarray[tuple[int, ...], np.dtype[Any]]


@dataclass(frozen=True)
class MovingDigits:
    """Makes clips of the numbers that are their keys, as bytes (B, T, 1, side, side)."""

    digits: Pixels
    """Those that appear, (N, 28, 28)."""
    frames: int
    side: int
    distractors: int
    seed: int

    def read(self, keys: Keys) -> Tensor:
        clips = np.zeros((len(keys), self.frames, 1, self.side, self.side), np.uint8)
        for clip, number in zip(clips, keys.tolist(), strict=True):
            self._draw(clip[:, 0], number)
        return torch.from_numpy(clips)

    def _draw(self, clip: Pixels, number: int) -> None:
        """Draw a digit that moves, and the distractors, into a black clip (T, side, side)."""
        random = np.random.default_rng([self.seed, number])
        angle = 2 * math.pi * (number % len(DIRECTIONS)) / len(DIRECTIONS)
        velocity = random.uniform(SLOWEST, FASTEST) * np.array([math.sin(angle), math.cos(angle)])
        start = random.uniform(0, self.side, 2)
        _put(clip, self._digit(random), start + np.arange(self.frames)[:, None] * velocity)
        for _ in range(self.distractors):
            digit, jumps = self._digit(random), random.random() < 0.5
            half = len(digit) // 2
            top, left = random.integers(0, 2, 2) * half
            piece = digit[top : top + half, left : left + half] if jumps else digit
            places = random.uniform(0, self.side, (self.frames if jumps else 1, 2))
            _put(clip, piece, np.broadcast_to(places, (self.frames, 2)))

    def _digit(self, random: np.random.Generator) -> Pixels:
        return self.digits[random.integers(len(self.digits))]


def enlarged(digits: Tensor) -> Pixels:
    """Return digits (N, 1, H, W) uint8 as (N, 28, 28), by bilinear interpolation."""
    floats = functional.interpolate(digits.float(), (SIDE, SIDE), mode="bilinear")
    return floats.round_().to(torch.uint8)[:, 0].numpy()


def _put(clip: Pixels, picture: Pixels, places: Places) -> None:
    """Put a picture into each frame, its corner at (T, 2) places; where two overlap, the brighter
    pixel is seen."""
    side, corners = clip.shape[-1], np.rint(places).astype(np.int64)[:, :, None]
    rows = (corners[:, 0] + np.arange(picture.shape[0])) % side
    columns = (corners[:, 1] + np.arange(picture.shape[1])) % side
    at = (np.arange(len(clip))[:, None, None], rows[:, :, None], columns[:, None, :])
    clip[at] = np.maximum(clip[at], picture)
