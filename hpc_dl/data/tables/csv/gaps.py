"""Gaps of CSV files: which words pandas reads as gaps, and rows at the end that are empty."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from hpc_dl.errors import first_few

if TYPE_CHECKING:
    from pandas import DataFrame

LOOKED_AT = 100_000
"""Rows of a long file in which such words are looked for."""


def find_words(frame: DataFrame, texts: DataFrame) -> dict[str, list[str]]:
    """Return the words that were read as gaps, by column. `texts` are columns of the frame as they
    stand in the file, from its first row on."""
    found: dict[str, list[str]] = {}
    rows = min(len(frame), len(texts))
    for name in texts:
        words = texts[name].iloc[:rows][frame[name].isna().to_numpy()[:rows]]
        found[name] = [word for word in words.str.strip().unique() if word]
    return {name: words for name, words in found.items() if words}


def note_words(found: Mapping[str, Sequence[str]]) -> list[str]:
    """Note the words that were read as gaps, each with its columns."""
    columns: dict[str, list[str]] = {}
    for name, words in found.items():
        for word in words:
            columns.setdefault(word, []).append(repr(name))
    return [
        f"'{word}' is read as a gap in column {first_few(names)}" for word, names in columns.items()
    ]


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
