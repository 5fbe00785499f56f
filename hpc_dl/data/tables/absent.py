"""Columns that a table does not have. Light."""

from __future__ import annotations

from collections.abc import Iterable
from difflib import get_close_matches

from hpc_dl.data.tables.rows import Rows
from hpc_dl.errors import UserError, first_few

SHOWN = 20
"""How many columns of a table a hint names."""


def refuse_absent(rows: Rows, wanted: Iterable[str], key: str = "", hint: str = "") -> None:
    """Raise UserError with all columns that are not there.

    `key` is the option that names them; else the one that names the file is shown.
    """
    there = list(rows.frame.columns)
    absent = [name for name in dict.fromkeys(wanted) if name not in there]
    if not absent:
        return
    names = ", ".join(map(repr, absent))
    where = f"{key}: {rows.path}" if key else rows.where
    near = {name: get_close_matches(name, there, 3) for name in absent}
    guesses = [f"Did you mean {' or '.join(found)}?" for found in near.values() if found]
    if len(guesses) < len(absent):
        guesses.append(f"It has: {first_few(there, SHOWN)}.")
    if any(it.replace(".", "").isdigit() for it in there):
        guesses.append("A file's first row has to name the columns.")
    if hint:
        guesses.append(hint)
    raise UserError(f"{where} has no column {names}", hint=" ".join(guesses))
