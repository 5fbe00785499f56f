"""Gaps of CSV files: which words pandas reads as gaps, and rows at the end that are empty."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from hpc_dl.errors import first_few

if TYPE_CHECKING:
    from pandas import DataFrame

LOOKED_AT = 100_000
"""Rows of a long file in which such words are looked for."""


def note_words(frame: DataFrame, texts: DataFrame) -> list[str]:
    """Note the words that were read as gaps. `texts` are columns of the frame as they stand in the
    file, from its first row on. For messages the words are kept in `frame.attrs`."""
    found: dict[str, list[str]] = {}
    rows = min(len(frame), len(texts))
    for name in texts:
        words = texts[name].iloc[:rows][frame[name].isna().to_numpy()[:rows]]
        found[name] = [word for word in words.str.strip().unique() if word]
    frame.attrs["gap_words"] = {name: words for name, words in found.items() if words}
    words = dict.fromkeys(word for some in found.values() for word in some)
    return [
        f"'{word}' is read as a gap in {_columns(name for name in found if word in found[name])}"
        for word in words
    ]


def _columns(names: Iterable[str]) -> str:
    return f"column {first_few(map(repr, names))}"


def leave_out_empty_rows(frame: DataFrame) -> tuple[DataFrame, list[str]]:
    """Return the frame without the rows at its end that have no value, as Excel writes, and a
    note."""
    if frame.empty or not frame.tail(1).isna().all(axis=None):
        return frame, []
    filled = frame.notna().any(axis=1).to_numpy().nonzero()[0]
    kept = int(filled[-1]) + 1 if len(filled) else 0
    return frame.iloc[:kept], [
        f"rows without any value at the end are left out: {len(frame) - kept}"
    ]
