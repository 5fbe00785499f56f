"""Columns of words that are numbers, or nearly so: categories would lose their order. Light."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from hpc_dl.data.faults import Faults
from hpc_dl.data.tables.number_formats import find_formatted_numbers
from hpc_dl.data.tables.places import LONGEST, list_by_value, show_value
from hpc_dl.data.tables.rows import Rows
from hpc_dl.errors import first_few

if TYPE_CHECKING:
    from pandas import Series

LOOKED_AT = 1000
"""Different words, at most."""
SHOWN = 20
"""How many words a hint names, for a user to copy."""

AS_TEXT = (
    "Write them as the other numbers of the file; in pandas, pandas.to_numeric makes numbers of "
    "them. Or leave the column out: data.drop."
)
FORMATTED = (
    "Write plain numbers, such as 1234.5 (of CSV, data.thousands: ' ' reads '1 234.5'), and leave "
    "gaps empty. data.categories: bands and codes as words, without an order; data.dates makes "
    "numbers of dates; or leave the column out: data.drop."
)


def add_formatted_numbers(rows: Rows, name: str, words: Series[Any], faults: Faults) -> bool:
    """Return whether most words of a column are formatted numbers, and add a fault if so."""
    import pandas

    codes, different = pandas.factorize(words)
    is_number = pandas.to_numeric(pandas.Series(different), errors="coerce").notna().to_numpy()
    counts = np.bincount(codes[codes >= 0], minlength=len(different))
    odd, some = different[~is_number], list(different[:LOOKED_AT])
    formatted = find_formatted_numbers(some)
    if len(different) and not len(odd):
        faults.add(f"column '{name}' has numbers as text", [_some(some)], AS_TEXT)
    elif counts.sum() / 2 < counts[is_number].sum():
        wrong = list_by_value(rows, name, words.isin(odd).to_numpy())
        hint = _gap_hint(rows, list(odd))
        faults.add(f"column '{name}' is of numbers, but also of words", wrong, hint)
    elif len(formatted) > len(some) / 2:
        faults.add(
            "numbers with units, dates or such, which would be categories",
            [f"column '{name}' has {len(different)}: {_some(formatted)}"],
            FORMATTED,
        )
    else:
        return False
    return True


def _gap_hint(rows: Rows, words: list[str]) -> str:
    """Return what to do with words among numbers."""
    words = [word for word in words if len(word) <= LONGEST] or [words[0][:LONGEST]]
    if rows.is_csv and len(words) <= SHOWN:
        return f"If these are gaps: data.na_values: [{', '.join(map(repr, words))}]."
    return (
        f"Correct them, or leave gaps empty. No numbers are: {first_few(map(repr, words), SHOWN)}."
    )


def _some(words: list[str]) -> str:
    return ", ".join(map(show_value, words[:3]))
