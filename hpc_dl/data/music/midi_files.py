"""A MIDI file as a piano roll, by mido."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from hpc_dl.data.faults import reading
from hpc_dl.data.music.rolls import Roll
from hpc_dl.errors import UserError
from hpc_dl.installed import require
from hpc_dl.jobspec.notes import LOWEST, NOTES

DRUMS = 9
"""The channel whose notes are drums, which have no pitch."""
LONGEST = 200_000
"""Frames of a piece: a file with more is damaged, or no music."""


@dataclass(frozen=True)
class Piece:
    """A piece, and what of its file is not in it as it was."""

    roll: Roll
    notes: int
    """Of the keys of a piano."""
    outside: int
    """Notes that no key of a piano has."""
    drums: int
    moved: int
    """Notes that begin between two frames."""


def read(key: str, file: Path, per_quarter: int) -> Piece:
    """Return the piece in a file, with `per_quarter` frames a quarter note.

    Raises UserError for a file that is no MIDI, is truncated, or has no notes.
    """
    mido = require("mido", "music", f"{key}: {file}")
    with reading(key, file, "MIDI file"):
        midi = mido.MidiFile(file)
        if midi.type == 2:
            raise UserError(f"{key}: {file} is of MIDI's type 2: several pieces")
        if midi.ticks_per_beat <= 0:  # negative where frames of a film are counted
            raise UserError(f"{key}: {file} does not say how long a quarter note is")
        notes, drums = _notes(midi)
    if not notes:
        of_drums = f" but the {drums} of drums" if drums else ""
        raise UserError(f"{key}: {file} has no notes{of_drums}")
    return _piece(notes, midi.ticks_per_beat / per_quarter, drums, f"{key}: {file}")


def _notes(midi: Any) -> tuple[list[tuple[int, int, int]], int]:
    """Return the pitch, the first tick and the end of every note, and how many are of drums; one
    that does not end is held to the end of the piece."""
    found: list[tuple[int, int, int]] = []
    held: dict[tuple[int, int], int] = {}
    now = drums = 0
    for message in _in_order(midi):
        now += message.time
        if message.type not in {"note_on", "note_off"}:
            continue
        if message.channel == DRUMS:
            drums += message.type == "note_on" and message.velocity > 0
            continue
        key = (message.channel, message.note)
        if key in held:
            found.append((message.note, held.pop(key), now))
        if message.type == "note_on" and message.velocity:
            held[key] = now
    return found + [(pitch, start, now) for (_, pitch), start in held.items()], drums


def _in_order(midi: Any) -> Any:
    from mido import merge_tracks

    return merge_tracks(midi.tracks)


def _piece(notes: list[tuple[int, int, int]], ticks: float, drums: int, where: str) -> Piece:
    """Return the piano roll of notes, in frames of so many ticks: each from the nearest frame on,
    for one frame at least."""
    frames = max(1, round(max(end for _, _, end in notes) / ticks))
    if frames > LONGEST:
        raise UserError(f"{where} is {frames} frames long, more than {LONGEST}")
    made = np.zeros((frames, NOTES), dtype=np.bool_)
    on_piano = [it for it in notes if 0 <= it[0] - LOWEST < NOTES]
    for pitch, start, end in on_piano:
        first = min(round(start / ticks), frames - 1)
        made[first : max(first + 1, round(end / ticks)), pitch - LOWEST] = True
    if not on_piano:
        raise UserError(f"{where} has no notes on the keys of a piano")
    moved = sum(start % ticks != 0 for _, start, _ in on_piano)
    return Piece(made, len(on_piano), len(notes) - len(on_piano), drums, moved)
