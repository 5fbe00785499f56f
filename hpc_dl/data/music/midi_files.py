"""MIDI files as piano rolls, by mido."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from hpc_dl.data.faults import Faults, reading, resolve_home
from hpc_dl.data.music.rolls import Roll
from hpc_dl.errors import UserError
from hpc_dl.installed import require
from hpc_dl.tasks.music.notes import LOWEST, NOTES

SUFFIXES = {".mid", ".midi"}
DRUMS = 9
"""The channel whose notes are drums, which have no pitch."""
LONGEST = 200_000
"""Frames of a piece: a file with more is damaged, or no music."""


def find(key: str, folder: Path | str) -> list[Path]:
    """Return the MIDI files below a folder. Raises UserError where there are none."""
    root = resolve_home(key, folder)
    if not root.is_dir():
        raise UserError(f"{key}: there is no folder {root}")
    with reading(key, root, "folder"):
        files = sorted(
            it for it in root.rglob("*") if it.suffix.lower() in SUFFIXES and it.is_file()
        )
    if not files:
        raise UserError(f"{key}: {root} has no files {' or '.join(sorted(SUFFIXES))}")
    return files


def read_all(key: str, files: list[Path], per_quarter: int) -> tuple[list[Roll], tuple[str, ...]]:
    """Return a piece of each file, and notes for the plan on notes that no key of a piano has.

    Raises UserError with every file that is no MIDI, or has no notes.
    """
    faults, pieces, outside = Faults(key), [], 0
    for file in files:
        with faults.collect():
            piece, beyond = read(key, file, per_quarter)
            pieces.append(piece)
            outside += beyond
    faults.refuse()
    lost = f"{outside} notes are on no key of a piano, and left out"
    return pieces, (lost,) if outside else ()


def read(key: str, file: Path, per_quarter: int) -> tuple[Roll, int]:
    """Return the piece in a file, with `per_quarter` frames a quarter note, and how many of its
    notes are on no key of a piano; drums are left out.

    Raises UserError for a file that is no MIDI, is truncated, or has no notes.
    """
    mido = require("mido", "music", f"{key}: {file}")
    with reading(key, file, "MIDI file"):
        midi = mido.MidiFile(file)
        if midi.type == 2:
            raise UserError(f"{key}: {file} is of MIDI's type 2: several pieces")
        notes = _notes(midi)
    if not notes:
        raise UserError(f"{key}: {file} has no notes")
    return _roll(notes, midi.ticks_per_beat / per_quarter, f"{key}: {file}")


def _notes(midi: Any) -> list[tuple[int, int, int]]:
    """Return the pitch, the first tick and the end of every note; one that does not end is held to
    the end of the piece."""
    found: list[tuple[int, int, int]] = []
    held: dict[tuple[int, int], int] = {}
    now = 0
    for message in _in_order(midi):
        now += message.time
        if message.type not in {"note_on", "note_off"} or message.channel == DRUMS:
            continue
        key = (message.channel, message.note)
        if key in held:
            found.append((message.note, held.pop(key), now))
        if message.type == "note_on" and message.velocity:
            held[key] = now
    return found + [(pitch, start, now) for (_, pitch), start in held.items()]


def _in_order(midi: Any) -> Any:
    from mido import merge_tracks

    return merge_tracks(midi.tracks)


def _roll(notes: list[tuple[int, int, int]], ticks: float, where: str) -> tuple[Roll, int]:
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
    return made, len(notes) - len(on_piano)
