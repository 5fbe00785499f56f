"""Places and values of tables in messages. Light."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from hpc_dl.data.tables.rows import Rows

if TYPE_CHECKING:
    from pandas import Series

Array = np.ndarray[tuple[int, ...], np.dtype[Any]]

LONGEST = 40
"""Characters of a value in a message."""


def list_rows(rows: Rows, wrong: Array) -> list[str]:
    """Return the names of the rows that are wrong, (N,) bool: rows count from 1 as in the file,
    whichever of them were left out."""
    numbers = (rows.frame.index.to_numpy()[wrong] + 1).tolist()
    return [f"row {it}{'' if at else rows.after}" for at, it in enumerate(numbers)]


def list_by_value(rows: Rows, name: str, wrong: Array) -> list[str]:
    """Return the different values of the rows that are wrong, each with the first row of it."""
    found: dict[str, list[str]] = {}
    for value, row in zip(rows.frame[name][wrong].tolist(), list_rows(rows, wrong), strict=True):
        found.setdefault(show_value(value), []).append(row)
    return [
        f"{value} ({at[0]})" if len(at) == 1 else f"{value} ({len(at)} rows, the first is {at[0]})"
        for value, at in found.items()
    ]


def show_value(value: Any) -> str:
    """Return a value for a message, words in quotes; of a long one the beginning."""
    text = " ".join(str(value).split())
    text = text if len(text) <= LONGEST else f"{text[:LONGEST]}…"
    return repr(text) if isinstance(value, str) else text


def show_example(column: Series[Any]) -> str:
    """Return the first value of a column for a message."""
    return show_value(column.dropna().iloc[0])
