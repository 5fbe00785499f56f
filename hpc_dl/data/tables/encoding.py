"""Encoding of tables: numbers as they are, a column of 0 and 1 for each word, and one more for the
gaps of a column that has some.

Which words and which gaps there are is known from the file to train on, and is kept in the export.
Light: without torch.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from hpc_dl.data.tables.columns import as_words, floats, place, plain
from hpc_dl.errors import UserError, first_few
from hpc_dl.jobspec.data import Column

if TYPE_CHECKING:
    from pandas import DataFrame, Series

Array = np.ndarray[tuple[int, ...], np.dtype[Any]]
SHOWN = 20
"""How many known words a message names."""


def inputs(columns: Sequence[Column]) -> list[Column]:
    """Return the columns that are inputs."""
    return [column for column in columns if column.part == "input"]


def names(column: Column) -> list[str]:
    """Return the encoded columns of one: itself, or one for each of its words; and one for gaps."""
    own = [f"{column.name}={word}" for word in column.words] or [column.name]
    return own + ([f"{column.name} is missing"] if column.gaps else [])


def encode(frame: DataFrame, columns: Sequence[Column]) -> Array:
    """Encode the rows of a frame as (N, inputs) float64, NaN where a number is missing.

    Raises UserError for a value that the training did not know, with its row and column.
    """
    parts = [_encode_column(frame, column) for column in inputs(columns)]
    return np.concatenate(parts, axis=1)


def _encode_column(frame: DataFrame, column: Column) -> Array:
    values = _values(frame, column)
    missing = values.isna().to_numpy()[:, None]
    if missing.any() and not column.gaps:
        raise UserError(
            f"{place(frame, int(missing.argmax()), column.name)} is missing, and no row to train "
            "on misses it",
            hint="Fill it in, or leave the row out.",
        )
    own = _one_hot(frame, column, values) if column.words else values.to_numpy()[:, None]
    return np.concatenate([own, missing], axis=1) if column.gaps else own.astype(np.float64)


def _values(frame: DataFrame, column: Column) -> Series[Any]:
    """Return the values as the type of the training's column. Raises UserError for others."""
    if column.type == "words":
        return as_words(frame[column.name])
    given = frame[column.name].astype(object)
    if column.type == "bool":
        _refuse(frame, column, given.notna() & ~given.isin([0, 1]), "true or false")
    if column.type == "bool" or given.isna().all():
        return floats(given)
    kind, values = plain(frame, column.name)
    if kind == "words":
        _refuse_text(frame, column, values)
    elif kind == "bool" and column.values > 2:
        _refuse(frame, column, values.notna(), "a number")
    return values


def _refuse_text(frame: DataFrame, column: Column, values: Series[Any]) -> None:
    """Raise UserError for a word among numbers, or for numbers that are text."""
    import pandas

    odd = pandas.to_numeric(values, errors="coerce").isna() & values.notna()
    _refuse(frame, column, odd, "a number")
    text = frame[column.name].map(lambda it: isinstance(it, str)).astype(bool)
    _refuse(frame, column, text, "a number, not text")


def _refuse(frame: DataFrame, column: Column, wrong: Series[Any], wanted: str) -> None:
    """Raise UserError for the first value that is wrong, if any is."""
    if wrong.any():
        row = int(wrong.to_numpy().argmax())
        value = frame[column.name].astype(object).iloc[row]
        raise UserError(
            f"{place(frame, row, column.name)} is {value!r}, but has to be {wanted}",
            hint=f"In all rows that were trained on it is {wanted}, or missing.",
        )


def _one_hot(frame: DataFrame, column: Column, values: Series[Any]) -> Array:
    """Return (N, words): 1 where the word is that."""
    import pandas

    codes = pandas.Index(column.words, dtype=object).get_indexer(values.astype(object))
    unknown = (codes < 0) & values.notna().to_numpy()
    if unknown.any():
        row = int(unknown.argmax())
        raise UserError(
            f"{place(frame, row, column.name)} is {values.iloc[row]!r}, a word that no row to "
            "train on has",
            hint=f"It knows: {first_few(column.words, SHOWN)}.",
        )
    found: Array = codes[:, None] == np.arange(len(column.words))
    return found
