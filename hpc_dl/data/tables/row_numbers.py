"""Columns that number the rows, such as pandas' index in a file: no property of an example."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from hpc_dl.data.tables.rows import Rows
from hpc_dl.errors import UserError

if TYPE_CHECKING:
    from pandas import Series

_NAMELESS = re.compile(r"Unnamed: \d+(\.\d+)*|__index_level_\d+__|")
"""Names that pandas gives a column without one."""


def drop_index(rows: Rows) -> Rows:
    """Return the rows without columns that have no name, and number the rows or are empty, and with
    notes on them. Raises UserError for others without a name."""
    frame, notes = rows.frame, []
    for name in filter(is_nameless, frame.columns):
        column = frame[name]
        if not column.isna().all() and not numbers_rows(column):
            place = frame.columns.get_loc(name) + 1
            raise UserError(
                f"{rows.where}: column {place} has no name",
                hint="Name it in the first row, or remove it. Of CSV, data.names with data.header: "
                "true names all columns, and data.skiprows leaves out lines above their names.",
            )
        what = "is empty" if column.isna().all() else "numbers the rows"
        notes.append(f"a column without a name {what}, and is left out")
        frame = frame.drop(columns=name)
    return replace(rows, frame=frame, notes=(*rows.notes, *notes))


def is_nameless(name: str) -> bool:
    """Return whether pandas gave this name to a column without one."""
    return bool(_NAMELESS.fullmatch(name))


def numbers_rows(column: Series[Any]) -> bool:
    """Return whether a column counts the rows, from any number and in any order."""
    if column.dtype.kind not in "iuf" or len(column) < 3:
        return False
    numbers = np.sort(column.to_numpy())
    return bool(np.array_equal(numbers, numbers[0] + np.arange(len(numbers))))
