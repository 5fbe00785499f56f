"""MIDI files of piano rolls, by mido."""

from __future__ import annotations

import io
from importlib.util import find_spec
from typing import Any

import numpy as np

from hpc_dl.jobspec.notes import LOWEST
from hpc_dl.tasks.music.runs import held

ABSENT = "no MIDI files without mido: pip install 'hpcdl[music]'"
TICKS, VELOCITY = 480, 64
"""Ticks of a frame, and how hard each note is struck."""


def write(roll: np.ndarray[tuple[int, ...], np.dtype[Any]], rate: float) -> bytes | None:
    """Return a piece (frames, 88) of `rate` frames a second as a MIDI file; None where mido is not
    installed."""
    if find_spec("mido") is None:
        return None
    import mido

    file = mido.MidiFile(ticks_per_beat=TICKS)
    track = mido.MidiTrack([mido.MetaMessage("set_tempo", tempo=round(1_000_000 / rate))])
    file.tracks.append(track)
    now = 0
    for at, kind, note in sorted(_events(roll), key=lambda it: (it[0], it[1] == "note_on")):
        delta, now = at - now, at
        track.append(mido.Message(kind, note=note, velocity=VELOCITY, time=delta))
    content = io.BytesIO()
    file.save(file=content)
    return content.getvalue()


def _events(roll: np.ndarray[tuple[int, ...], np.dtype[Any]]) -> list[tuple[int, str, int]]:
    """Return the tick, the type and the pitch of each message; of one tick, ends come first."""
    found = []
    for column, first, end in held(roll):
        found += [(first * TICKS, "note_on", column + LOWEST)]
        found += [(end * TICKS, "note_off", column + LOWEST)]
    return found
