"""A generator of small pieces: cadences in four voices, in random keys and figurations."""

from __future__ import annotations

import numpy as np

from hpc_dl.data.music import rolls
from hpc_dl.data.music.rolls import Roll

_CHORDS = {"I": (0, 4, 7), "ii": (2, 5, 9), "IV": (5, 9, 12), "V": (7, 11, 14), "vi": (9, 12, 16)}
"""Semitones above the tonic."""
_FOLLOWS = {
    "I": ("IV", "V", "vi", "ii"),
    "ii": ("V",),
    "IV": ("V", "I", "ii"),
    "V": ("I", "vi"),
    "vi": ("ii", "IV"),
}
"""The chords that may follow each, equally likely."""
CHORD_FRAMES = 4
"""Frames of a chord, of a quarter note each."""


def pieces(count: int, seed: int) -> list[Roll]:
    """Return so many pieces of 8 to 16 chords, four frames each: a bass that holds the root, two
    voices that hold the third and the fifth, and one that goes up or down the chord."""
    random = np.random.default_rng(seed)
    return [_piece(random) for _ in range(count)]


def _piece(random: np.random.Generator) -> Roll:
    tonic, rises = int(random.integers(48, 60)), bool(random.integers(2))
    name, frames = "I", []
    for _ in range(int(random.integers(8, 17))):
        root, third, fifth = (tonic + it for it in _CHORDS[name])
        figure = [root + 12, third + 12, fifth + 12, third + 12]
        for note in figure if rises else figure[::-1]:
            frames.append([root - 12, third, fifth, note])
        name = str(random.choice(_FOLLOWS[name]))
    return rolls.roll(frames + [[tonic - 12, tonic + 4, tonic + 7, tonic + 12]] * CHORD_FRAMES)
