"""Music as a network takes it: piano rolls, from MIDI files, pitches or arrays."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.nn.utils.rnn import pad_sequence

from hpc_dl.data.faults import regular_file
from hpc_dl.data.music import midi_files, rolls
from hpc_dl.data.music.source import QUARTERS
from hpc_dl.errors import UserError
from hpc_dl.jobspec.notes import HIGHEST, LOWEST, NOTES

_WANTED = (
    "Give the path of a MIDI file, a list of frames, which are lists of MIDI pitches, an array "
    "(frames, 88) of 0 and 1, or a list of these."
)


@dataclass(frozen=True)
class Music:
    """Makes piano rolls of pieces to continue."""

    rate: float
    """Frames a second of the training."""

    def batch(self, given: Any) -> dict[str, Tensor]:
        """Return the tensors for `predict`. Raises UserError, with its number, for a piece that
        cannot be read."""
        if isinstance(given, Mapping):
            if set(given) != {"music"}:
                names = ", ".join(map(str, given)) or "none"
                raise UserError(f"the network takes music, but was given {names}")
            given = given["music"]
        if not hasattr(given, "__len__") and not isinstance(given, Path):
            raise UserError("the network takes music", hint=_WANTED)
        pieces = [given] if _is_one(given) else list(given)
        if not pieces:
            raise UserError("the network takes music, but was given none", hint=_WANTED)
        read = [torch.from_numpy(self._roll(it, n)) for n, it in enumerate(pieces, start=1)]
        length = torch.tensor([*map(len, read)])
        return {"music": pad_sequence(read, batch_first=True).float(), "music_length": length}

    def _roll(self, piece: Any, number: int) -> rolls.Roll:
        where = f"piece {number}"
        if isinstance(piece, str | Path):
            return midi_files.read(where, regular_file(where, piece), self._per_quarter(where)).roll
        try:
            array = np.asarray(piece, dtype=np.float64)
        except (TypeError, ValueError):  # frames with differing numbers of pitches
            array = np.zeros(0)
        if array.ndim == 2 and array.shape[1] == NOTES:
            if not len(array) or not np.isin(array, (0, 1)).all():
                raise UserError(f"{where} has no frames, or numbers that are not 0 or 1")
            return array.astype(np.bool_)
        return _of_pitches(piece, where)

    def _per_quarter(self, where: str) -> int:
        """Return the frames of a quarter note. Raises UserError where a frame is longer."""
        found = self.rate / QUARTERS
        if (whole := round(found)) and abs(found - whole) < 1e-6:
            return whole
        raise UserError(
            f"{where}: the network was trained on {found:g} frames a quarter note, in which no "
            "MIDI file is read",
            hint="Give an array (frames, 88) of 0 and 1.",
        )


def _of_pitches(piece: Any, where: str) -> rolls.Roll:
    try:
        pitches = [[int(pitch) for pitch in frame] for frame in piece]
        between = [pitch for frame in piece for pitch in frame if pitch % 1]
    except (TypeError, ValueError, OverflowError):
        raise UserError(f"{where} is no music", hint=_WANTED) from None
    if between:
        raise UserError(f"{where} has the pitch {between[0]}, which is between two keys")
    outside = [it for frame in pitches for it in frame if not LOWEST <= it <= HIGHEST]
    if outside:
        raise UserError(f"{where} has the pitch {outside[0]}: a piano has {LOWEST} to {HIGHEST}")
    if not pitches:
        raise UserError(f"{where} has no frames", hint=_WANTED)
    return rolls.roll(pitches)


def _is_one(given: Any) -> bool:
    """Return whether a single piece is given, and not several."""
    if isinstance(given, str | Path):
        return True
    if isinstance(given, np.ndarray | Tensor):
        return given.ndim == 2
    first = given[0] if len(given) else None
    is_frames = isinstance(first, list | tuple | np.ndarray) and not any(map(np.ndim, first))
    return is_frames and not isinstance(first, str)
