"""Synthesis of words of two vowels by harmonics whose strengths follow the formants.

The formants are those of men of Peterson and Barney (J. Acoust. Soc. Am. 24 (1952)), scaled by the
size of a speaker's vocal tract.
"""

from __future__ import annotations

from dataclasses import dataclass
from random import Random
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np

    Array = np.ndarray[tuple[int, ...], np.dtype[np.float32]]

RATE = 8000
"""Samples a second."""
FORMANTS = {"a": (730, 1090, 2440), "i": (270, 2290, 3010), "u": (300, 870, 2240)}
"""Of each vowel, Hz."""
WORDS = tuple(a + b for a in FORMANTS for b in FORMANTS if a != b)
_BANDWIDTHS = (60, 90, 150)
"""Of the formants, Hz."""
_STRENGTHS = (1.0, 0.5, 0.25)
_SECONDS, _PITCH, _TRACT, _NOISE = (0.2, 0.6), (80, 260), (0.9, 1.2), (0.005, 0.05)
"""Ranges of the length, the pitch in Hz, the scale of formants, and the deviation of the noise."""
_FADE = 200
"""Samples over which a word begins and ends."""


@dataclass(frozen=True)
class Utterance:
    """A word as it is to be spoken."""

    word: int
    samples: int
    pitch: float
    """At its middle, Hz."""
    tract: float
    """By which formants are scaled."""
    noise: float
    """Standard deviation."""


def draw(count: int, seed: int) -> list[Utterance]:
    """Draw utterances, of each word as many."""
    random = Random(seed)
    return [
        Utterance(
            number % len(WORDS),
            round(random.uniform(*_SECONDS) * RATE),
            random.uniform(*_PITCH),
            random.uniform(*_TRACT),
            random.uniform(*_NOISE),
        )
        for number in range(count)
    ]


def speak(utterance: Utterance, seed: int) -> Array:
    """Return the samples of an utterance, (samples,) in [-1, 1]; `seed` is that of its noise."""
    import numpy as np

    progress = np.linspace(0, 1, utterance.samples)
    first, second = (np.array(FORMANTS[it]) for it in WORDS[utterance.word])
    glide = ((progress - 0.3) / 0.4).clip(0, 1)[:, None]
    formants = utterance.tract * (first + glide * (second - first))  # (samples, 3)
    pitch = utterance.pitch * (1.1 - 0.2 * progress)
    phase = 2 * np.pi * pitch.cumsum() / RATE
    voice = np.zeros(utterance.samples)
    for harmonic in range(1, int(RATE / 2 / pitch.min()) + 1):
        frequency = harmonic * pitch
        away = (frequency[:, None] - formants) / _BANDWIDTHS
        strength = (np.array(_STRENGTHS) / np.sqrt(1 + 4 * away**2)).sum(axis=1) / harmonic
        voice += np.sin(harmonic * phase) * strength * (frequency < RATE / 2)
    ends = np.minimum(np.arange(1, utterance.samples + 1), _FADE) / _FADE
    noise = np.random.default_rng(seed).normal(0, utterance.noise, utterance.samples)
    spoken = 0.5 * voice / np.abs(voice).max() * ends * ends[::-1] + noise
    return spoken.clip(-1, 1).astype(np.float32)
