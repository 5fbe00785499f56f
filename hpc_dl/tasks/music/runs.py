"""Notes that are held over several frames of a piano roll."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np


def held(roll: np.ndarray[tuple[int, ...], np.dtype[Any]]) -> Iterator[tuple[int, int, int]]:
    """Yield the column, the first frame and the end of each note of a piece (frames, 88); a note
    in consecutive frames is one that is held."""
    padded = np.pad(roll.astype(np.int8), ((1, 1), (0, 0)))
    changes = np.diff(padded, axis=0).T
    for column in np.flatnonzero(changes.any(axis=1)).tolist():
        starts, ends = (np.flatnonzero(changes[column] == sign).tolist() for sign in (1, -1))
        yield from ((column, first, end) for first, end in zip(starts, ends, strict=True))
