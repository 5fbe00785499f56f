"""Piano rolls: pieces of frames, and the examples that are cut out of them."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from hpc_dl.data.splits.counts import Holdout, split_counts
from hpc_dl.errors import UserError
from hpc_dl.jobspec.facts import DataFacts, Feature
from hpc_dl.jobspec.music import MusicData
from hpc_dl.jobspec.notes import LOWEST, NAMES, NOTES

if TYPE_CHECKING:
    from hpc_dl.data.dataset import Split

Roll = np.ndarray[tuple[int, int], np.dtype[np.bool_]]
"""A piece, (frames, 88): the keys of a piano from LOWEST on that sound."""
Pieces = Mapping[str, Sequence[Roll]]
"""The pieces of each split that a source has."""


def roll(pitches: Sequence[Sequence[int]]) -> Roll:
    """Return a piece from the MIDI pitches of each frame, all on the piano."""
    made = np.zeros((len(pitches), NOTES), dtype=np.bool_)
    for frame, sounding in enumerate(pitches):
        made[frame, [pitch - LOWEST for pitch in sounding]] = True
    return made


def facts(pieces: Pieces, options: MusicData, rate: float, **more: Any) -> DataFacts:
    """Return the facts of pieces of `rate` frames a second.

    Raises UserError where too few pieces are there to be divided.
    """
    counts = {name: len(_cut(every, options.length)) for name, every in pieces.items()}
    drawn = tuple(name for name in ("validation", "test") if name not in pieces)
    groups = _groups(pieces["train"], options.length) if drawn else None
    sizes = split_counts(counts, Holdout.of(options), groups)
    longest = min(options.length, max(len(it) for every in pieces.values() for it in every))
    feature = Feature("float", (None, NOTES), NAMES, longest=longest, rate=rate)
    return DataFacts(
        "music",
        "predict_notes",
        {"music": feature},
        {"next": feature},
        *sizes,
        drawn=drawn,
        groups=len(pieces["train"]) if drawn else 0,
        **more,
    )


def splits(pieces: Pieces, length: int) -> dict[str, Split]:
    """Return the examples of each split.

    An example is `next`, at most `length` frames of a piece, and `music`, the frame before each of
    these, silent before the first; `begins` says where a piece begins, and of the training examples
    `group` which one it is.
    """
    import torch

    from hpc_dl.data.ragged import Ragged, RaggedSplit

    made: dict[str, Split] = {}
    for name, every in pieces.items():
        cuts = _cut(every, length)
        silence = np.zeros((1, NOTES), dtype=np.bool_)
        before = [np.concatenate([silence, piece])[:-1] for piece in every]
        next_, given = (
            Ragged.of([torch.from_numpy(rolls[n][first : first + length]) for n, first in cuts])
            for rolls in (every, before)
        )
        begins = torch.tensor([first == 0 for _, first in cuts])
        made[name] = RaggedSplit({"music": given, "next": next_}, {"begins": begins})
    made["train"].tensors["group"] = torch.from_numpy(_groups(pieces["train"], length))
    return made


def _cut(pieces: Sequence[Roll], length: int) -> list[tuple[int, int]]:
    """Return the piece and the first frame of each example."""
    return [
        (number, part * length)
        for number, piece in enumerate(pieces)
        for part in range(math.ceil(len(piece) / length))
    ]


def _groups(pieces: Sequence[Roll], length: int) -> np.ndarray[tuple[int], np.dtype[np.int64]]:
    return np.array([number for number, _ in _cut(pieces, length)])


def refuse_silence(pieces: Pieces, where: str) -> None:
    """Raise UserError where no training piece has a note."""
    if not any(piece.any() for piece in pieces["train"]):
        raise UserError(f"{where}: the pieces to train on have no notes")
