"""Encoding of tables: numbers as they are, a column of 0 and 1 for each word, and one more for the
gaps of a column that has some, unless these are filled in.

Which words and which gaps there are is known from the file to train on, and is kept in the export.
Light: without torch.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from hpc_dl.data.faults import Faults
from hpc_dl.data.tables.absent import refuse_absent
from hpc_dl.data.tables.columns import as_words, find_kind, floats, is_gap, plain
from hpc_dl.data.tables.dates import as_days
from hpc_dl.data.tables.places import LONGEST, Array, list_by_value, list_rows
from hpc_dl.data.tables.row_numbers import is_nameless
from hpc_dl.data.tables.rows import Rows
from hpc_dl.errors import UserError, first_few
from hpc_dl.jobspec.facts import Column

if TYPE_CHECKING:
    from pandas import Series

_FILLED = " A network that is trained with data.missing: mean or median takes gaps among numbers."
SHOWN = 20
"""How many known words a message names."""


def inputs(columns: Sequence[Column]) -> list[Column]:
    """Return the columns that are inputs."""
    return [column for column in columns if column.part == "input"]


def names(column: Column) -> list[str]:
    """Return the encoded columns of one: itself, or one for each of its words; and one for gaps."""
    own = [f"{column.name}={word}" for word in column.words] or [column.name]
    return own + ([f"{column.name} is missing"] if _marks_gaps(column) else [])


def encode(rows: Rows, columns: Sequence[Column]) -> Array:
    """Encode rows as (N, inputs) float64, NaN where a number is missing.

    Raises UserError with all values that the training did not know, with their rows and columns.
    """
    faults = Faults(rows.where)
    parts = [_encode_column(rows, column, faults) for column in inputs(columns)]
    faults.refuse()
    return np.concatenate(parts, axis=1)


def check_names(rows: Rows, columns: Sequence[Column]) -> None:
    """Raise UserError for a column that is missing, there twice, or unknown to the training."""
    frame = rows.frame
    refuse_absent(rows, [column.name for column in inputs(columns)])
    if frame.columns.has_duplicates:
        twice = frame.columns[frame.columns.duplicated()][0]
        raise UserError(f"{rows.where} has several columns '{twice}'")
    known = {column.name for column in columns}
    unknown = [it for it in frame.columns if it not in known and not is_nameless(it)]
    if unknown:
        raise UserError(
            f"{rows.where} has a column '{unknown[0]}', which the training did not have",
            hint=f"It had: {', '.join(column.name for column in columns)}.",
        )


def read_values(rows: Rows, column: Column, faults: Faults) -> Series[Any]:
    """Return the values as the type of the training's column, with a fault for each of others."""
    if column.type == "words":
        return as_words(rows.frame[column.name])
    if column.type == "date":
        return as_days(rows, column.name, column.format, faults)
    given = rows.frame[column.name]
    kind = find_kind(given)
    if column.type == "bool":
        wrong = given.notna() & ~given.astype(object).isin([0, 1])
        _add_others(rows, column, wrong, "true or false", faults)
        return floats(given.where(~wrong))
    if kind == "boolean" and column.values > 2:
        _add_others(rows, column, given.notna(), "a number", faults)
    if kind in ("boolean", "empty"):
        return floats(given)
    return _numbers(rows, column, faults)


def _numbers(rows: Rows, column: Column, faults: Faults) -> Series[Any]:
    """Return numbers, with a fault for each word among them, and for numbers that are text."""
    import pandas

    given = rows.frame[column.name]
    kind, found = plain(rows, column.name, faults) or ("", given.map(lambda _: 0.0))
    if kind != "words":
        return found
    numbers = pandas.to_numeric(found, errors="coerce")
    odd = numbers.isna() & found.notna()
    _add_others(rows, column, odd, "a number", faults)
    text = given.map(lambda it: isinstance(it, str)).astype(bool) & numbers.notna()
    _add_others(rows, column, text & ~odd.any(), "a number, not text", faults)
    return numbers


def _marks_gaps(column: Column) -> bool:
    """Return whether a column of its own says what is missing."""
    return column.gaps > 0 and column.fill is None


def _encode_column(rows: Rows, column: Column, faults: Faults) -> Array:
    found = read_values(rows, column, faults)
    if column.fill is not None:
        found = found.fillna(column.fill)
    missing = is_gap(rows.frame[column.name]) if column.fill is None else np.zeros(len(found), bool)
    if not _marks_gaps(column):
        faults.add(
            f"column '{column.name}' is missing, and no row to train on misses it",
            list_rows(rows, missing),
            "Fill it in, or leave the row out." + (_FILLED if column.type != "words" else ""),
        )
    own = _one_hot(rows, column, found, faults) if column.words else found.to_numpy()[:, None]
    parts = [own, missing[:, None]] if _marks_gaps(column) else [own]
    return np.concatenate(parts, axis=1, dtype=np.float64)


def _add_others(
    rows: Rows, column: Column, wrong: Series[Any], wanted: str, faults: Faults
) -> None:
    """Add a fault for each value that is of another type than in the training."""
    faults.add(
        f"column '{column.name}' has to be {wanted}",
        list_by_value(rows, column.name, wrong.to_numpy(dtype=bool)),
        f"In all rows that were trained on it is {wanted}, or missing.",
    )


def _one_hot(rows: Rows, column: Column, words: Series[Any], faults: Faults) -> Array:
    """Return (N, words): 1 where the word is that."""
    import pandas

    codes = pandas.Index(column.words, dtype=object).get_indexer(words.astype(object))
    unknown = (codes < 0) & words.notna().to_numpy()
    faults.add(
        f"column '{column.name}' has words that no row to train on has",
        list_by_value(rows, column.name, unknown),
        f"It knows: {first_few((it[:LONGEST] for it in column.words), SHOWN)}.",
    )
    found: Array = codes[:, None] == np.arange(len(column.words))
    return found
