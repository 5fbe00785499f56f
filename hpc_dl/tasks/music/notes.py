"""The keys of a piano, as MIDI numbers and names them."""

from __future__ import annotations

LOWEST, NOTES = 21, 88
"""MIDI's number of the lowest key, and how many there are."""
HIGHEST = LOWEST + NOTES - 1
_OCTAVE = ("C", "C#", "D", "D#", "E", "F", "F#", "G", "G#", "A", "A#", "B")
NAMES = tuple(f"{_OCTAVE[it % 12]}{it // 12 - 1}" for it in range(LOWEST, HIGHEST + 1))
"""Scientific names: C4 is the middle C, MIDI's 60."""


def frequency(pitch: int) -> float:
    """Return the frequency of a MIDI pitch in hertz, equal temperament, A4 = 440 Hz."""
    return float(440.0 * 2 ** ((pitch - 69) / 12))
