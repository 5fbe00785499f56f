"""Columns of text for a terminal, of names that users gave: short, printable and aligned."""

from __future__ import annotations

from collections.abc import Sequence

from rich.cells import cell_len

from hpc_dl.errors import printable

LONGEST = 30
"""Most characters of a cell."""
ENDING = 10
"""Characters at the end that are kept of a longer one, for names often begin alike."""


def align(cells: Sequence[str], to_right: bool = False) -> list[str]:
    """Return the cells of a column, all of one width."""
    shown = [_shorten(printable(it)) for it in cells]
    width = max(map(cell_len, shown))
    filled = [(cell, " " * (width - cell_len(cell))) for cell in shown]
    return [space + cell if to_right else cell + space for cell, space in filled]


def _shorten(text: str) -> str:
    if len(text) <= LONGEST:
        return text
    return f"{text[: LONGEST - ENDING - 1]}…{text[-ENDING:]}"
