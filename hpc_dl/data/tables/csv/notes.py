"""Doubts about values of CSV files that are read as they stand there."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from typing import TYPE_CHECKING

from hpc_dl.data.tables.columns import is_text
from hpc_dl.data.tables.csv.dialect import Dialect
from hpc_dl.data.tables.csv.numbers import text_columns
from hpc_dl.errors import first_few

if TYPE_CHECKING:
    from pandas import DataFrame

_CODE = re.compile(r"0\d+")
_TOTAL = re.compile(r"(grand |sub)?totals?:?|sum:?|average:?|mean:?", re.IGNORECASE)
_EXCEL = ("#DIV/0!", "#NAME?", "#NULL!", "#NUM!", "#REF!", "#VALUE!")
_SIGNS = ("?", "-", "--", "—", ".", "..", "*", *_EXCEL)
"""Words that often stand for gaps, and are none to pandas."""
_SENTINELS = (-99, -999, -9999, -99999, -999999)
"""Numbers that often stand for gaps."""
_TRUTHS = {it: way for way in ("true false", "yes no", "t f", "y n", "1 0") for it in way.split()}
"""Words for true and false, and the way in which they do it."""
Words = Mapping[str, Collection[str]]
"""The different words of columns."""


def note_doubts(frame: DataFrame, dialect: Dialect) -> list[str]:
    """Note codes that are read as numbers, signs that may be gaps, and sums in the last row."""
    words = {name: list(frame[name].dropna().unique()) for name in text_columns(frame)}
    return [
        *_note_codes(frame, dialect),
        *_note_sentinels(frame),
        *_note_signs(words),
        *_note_truths(words),
        *_note_total(frame),
    ]


def _note_codes(frame: DataFrame, dialect: Dialect) -> list[str]:
    notes = []
    for place, name in enumerate(dialect.names):
        cells = [row[place].strip() for _, row in dialect.rows if place < len(row)]
        codes = [cell for cell in cells if _CODE.fullmatch(cell)]
        if codes and name in frame and frame[name].dtype.kind in "if":
            notes.append(
                f"column '{name}' has numbers with zeros before them, such as {codes[0]}, which "
                f"are read as {int(codes[0])}"
            )
    return notes


def _note_sentinels(frame: DataFrame) -> list[str]:
    lowest = frame.select_dtypes("number").min()
    return [
        f"the least number in column '{name}' is {low:.0f}: is it a gap (data.na_values)?"
        for name, low in lowest.items()
        if low in _SENTINELS
    ]


def _note_signs(words: Words) -> list[str]:
    signs = {name: [sign for sign in _SIGNS if sign in found] for name, found in words.items()}
    return [
        f"{first_few(map(repr, found))} in column '{name}' is a word like others; "
        f"data.na_values: {found} reads it as a gap"
        for name, found in signs.items()
        if found
    ]


def _note_truths(words: Words) -> list[str]:
    """Note columns that write true and false in several ways, of which each is a word."""
    notes = []
    for name, found in words.items():
        kinds = {_TRUTHS.get(str(word).strip().lower()) for word in found}
        if len(kinds) > 1 and None not in kinds:
            notes.append(
                f"column '{name}' writes true and false in several ways, each of which is a word: "
                f"{first_few(map(repr, sorted(map(str, found))))}"
            )
    return notes


def _note_total(frame: DataFrame) -> list[str]:
    """Note a last row that begins with a word such as Total, which no other row has."""
    first = frame.iloc[:, 0] if len(frame) else None
    if first is None or not is_text(first) or not _TOTAL.fullmatch(str(first.iloc[-1]).strip()):
        return []
    return [f"the last row begins with {first.iloc[-1]!r}: is it one like the others?"]
