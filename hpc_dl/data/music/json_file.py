"""Piano rolls in JSON, as the data sets of Boulanger-Lewandowski et al. (arXiv:1206.6392) are kept:
split → piece → frame → MIDI pitches."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from hpc_dl.data.faults import Faults, reading, regular_file
from hpc_dl.data.music import rolls
from hpc_dl.data.music.rolls import Roll
from hpc_dl.errors import UserError
from hpc_dl.jobspec.notes import HIGHEST, LOWEST

SPLITS = {"train": "train", "valid": "validation", "validation": "validation", "test": "test"}
"""What a split is called in the file → its name."""


def read(key: str, path: Path) -> dict[str, list[Roll]]:
    """Return the pieces of each split in a file.

    Raises UserError, with the place, for what is no piece or no pitch of a piano.
    """
    file = regular_file(key, path)
    if file.suffix in {".pickle", ".pkl"}:
        raise UserError(
            f"{key}: {file} is a pickle, which can run any program when it is read",
            hint="Convert one that you trust: json.dump(pickle.load(open(FILE, 'rb')), "
            "open('new.json', 'w'), default=int).",
        )
    with reading(key, file, "JSON"):
        found = json.loads(file.read_bytes())
    faults = Faults(f"{key}: {file}")
    with faults.collect():
        given = _splits(found, f"{key}: {file}")
        pieces = {name: _pieces(given[name], name, faults) for name in given}
    faults.refuse()
    rolls.refuse_silence(pieces, f"{key}: {file}")
    return pieces


def _splits(found: Any, where: str) -> dict[str, list[Any]]:
    """Return the list of pieces of each split."""
    if not isinstance(found, dict) or "train" not in found:
        names = f"has {', '.join(map(repr, found))}" if isinstance(found, dict) else "is no mapping"
        raise UserError(
            f"{where} {names}: it needs lists of pieces by split, `train` among them",
            hint='As in {"train": [[[60, 64, 67], [62]], ...], "valid": [...], "test": [...]}.',
        )
    unknown = [name for name in found if name not in SPLITS]
    if unknown:
        raise UserError(f"{where} has an unknown split {unknown[0]!r}")
    if {"valid", "validation"} <= set(found):
        raise UserError(f"{where} has the validation split twice: 'valid' and 'validation'")
    empty = [name for name, pieces in found.items() if not isinstance(pieces, list) or not pieces]
    if empty:
        raise UserError(f"{where}: the split {empty[0]!r} has no pieces")
    return {SPLITS[name]: pieces for name, pieces in found.items()}


def _pieces(given: Sequence[Any], split: str, faults: Faults) -> list[Roll]:
    """Return the pieces of a split without those that are at fault."""
    made = []
    for number, piece in enumerate(given):
        place = f"{split}, piece {number}"
        if fault := _fault(piece):
            faults.add(fault[0], [f"{place}{fault[1]}"])
        else:
            made.append(rolls.roll([[int(it) for it in frame] for frame in piece]))
    return made


def _fault(piece: Any) -> tuple[str, str] | None:
    """Return what is wrong with a piece and where in it; None if nothing is."""
    if not isinstance(piece, list) or not piece:
        return "pieces that are no lists of frames, or empty ones", ""
    for number, frame in enumerate(piece):
        if not isinstance(frame, list):
            return "frames that are no lists of pitches", f", frame {number}"
        for pitch in frame:
            if isinstance(pitch, bool) or not isinstance(pitch, int | float) or pitch % 1:
                return f"pitches that are no whole numbers, like {pitch!r}", f", frame {number}"
            if not LOWEST <= pitch <= HIGHEST:
                outside = f"pitches outside {LOWEST} to {HIGHEST}, the keys of a piano"
                return outside, f", frame {number} has {pitch:g}"
    return None
