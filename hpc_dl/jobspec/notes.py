"""The keys of a piano, as MIDI numbers and names them. Light."""

from __future__ import annotations

from collections.abc import Sequence

LOWEST, NOTES = 21, 88
"""MIDI's number of the lowest key, and how many there are."""
HIGHEST = LOWEST + NOTES - 1
_OCTAVE = ("C", "C#", "D", "D#", "E", "F", "F#", "G", "G#", "A", "A#", "B")
NAMES = tuple(f"{_OCTAVE[it % 12]}{it // 12 - 1}" for it in range(LOWEST, HIGHEST + 1))
"""Scientific names: C4 is the middle C, MIDI's 60."""


def frequency(pitch: int) -> float:
    """Return the frequency of a MIDI pitch in hertz, equal temperament, A4 = 440 Hz."""
    return float(440.0 * 2 ** ((pitch - 69) / 12))


def names_of(roll: Sequence[Sequence[int]]) -> str:
    """Return the names of the notes of a piece (frames, 88), a line a frame; `-` for silence."""
    frames = ((name for name, it in zip(NAMES, frame, strict=True) if it) for frame in roll)
    return "\n".join(" ".join(names) or "-" for names in frames)
