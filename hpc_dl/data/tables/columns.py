"""Columns of tables as one of three types: numbers, true or false, and words.

Light: without torch.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, Literal

from hpc_dl.data.tables.number_formats import find_formatted_numbers
from hpc_dl.errors import UserError

if TYPE_CHECKING:
    from pandas import DataFrame, Series

Type = Literal["number", "bool", "words"]

MOST_INTEGER = 2**53
"""Up to here float64 has every integer."""
MOST = 3.4028234663852886e38
"""The largest finite float32."""
LOOKED_AT = 1000
"""Different words, at most."""
_TIMES = ("datetime64", "datetime", "date", "timedelta64", "timedelta", "time", "period")
_NUMBERS = ("integer", "floating", "mixed-integer-float", "decimal")


def place(frame: DataFrame, row: int, name: str) -> str:
    """Return the file, row and column of a value for a message."""
    return f"{frame.attrs['file']}: row {row + 1}{frame.attrs['after']}, column '{name}'"


def is_text(column: Series[Any]) -> bool:
    """Return whether a column is of words, or of anything else that is no number."""
    return column.dtype.kind == "O"


def plain(frame: DataFrame, name: str) -> tuple[Type, Series[Any]]:
    """Return the type of a column, and its values as numbers, booleans or words; gaps are NaN.

    Raises UserError for what is none of them.
    """
    import pandas

    column, where = frame[name], f"{frame.attrs['file']}: column '{name}'"
    kind = pandas.api.types.infer_dtype(column.dropna().astype(object))
    if kind in _TIMES:
        raise UserError(
            f"{where} is of times", hint="Make numbers of them, or leave them out: data.drop."
        )
    if kind == "boolean":
        return "bool", floats(column)
    if kind in _NUMBERS:
        return "number", _numbers(frame, name)
    if kind in ("string", "mixed-integer"):
        return "words", as_words(column)
    if kind == "empty":
        raise UserError(f"{where} has no value", hint="Leave it out: data.drop.")
    raise UserError(f"{where} is of {kind}, but has to be of numbers or words")


def as_words(column: Series[Any]) -> Series[Any]:
    """Return any column as words without blanks around them; gaps and empty words are NaN."""
    words = column.astype(object).map(lambda it: str(it).strip(), na_action="ignore")
    return words.where(words.notna() & (words != ""), math.nan)


def floats(column: Series[Any]) -> Series[Any]:
    """Return numbers or booleans as float64; gaps are NaN."""
    return column.astype(object).where(column.notna(), math.nan).astype("float64")


def _numbers(frame: DataFrame, name: str) -> Series[Any]:
    """Return values as float64. Raises UserError for one that is infinite, or too large for it."""
    column = frame[name]
    numbers = floats(column)
    bad = numbers.abs() > MOST
    if numbers.abs().max() > MOST_INTEGER:
        integers = column.map(lambda it: isinstance(it, int) and int(float(it)) != it)
        bad |= integers.fillna(False).astype(bool)
    if bad.any():
        row = int(bad.to_numpy().argmax())
        value = numbers.iloc[row]
        why = "" if abs(value) == math.inf else ", which floats cannot hold"
        raise UserError(
            f"{place(frame, row, name)} is {column.iloc[row]}{why}",
            hint="Fill it in, leave the row out, or the column: data.drop.",
        )
    return numbers


def refuse_formatted_numbers(frame: DataFrame, name: str, words: Series[Any]) -> None:
    """Raise UserError for a column of words most of which are formatted numbers."""
    import pandas

    known = words.dropna()
    different = known.unique().tolist()[:LOOKED_AT]
    numbers = pandas.to_numeric(words, errors="coerce").notna()
    odd = ~numbers & words.notna()
    if numbers.any() and not odd.any():
        raise UserError(
            f"{frame.attrs['file']}: column '{name}' has numbers as text: {_some(different)}",
            hint="Write them as the other numbers of the file; in pandas, pandas.to_numeric "
            "makes numbers of them. Or leave the column out: data.drop.",
        )
    if len(known) / 2 < numbers.sum():
        row = int(odd.to_numpy().argmax())
        raise UserError(
            f"{place(frame, row, name)} is no number: {words.iloc[row]!r}",
            hint="Correct it, or leave it empty if it is a gap. "
            f"No numbers are: {_some(words[odd].unique().tolist())}.",
        )
    formatted = find_formatted_numbers(different)
    if len(formatted) > len(different) / 2:
        raise UserError(
            f"{frame.attrs['file']}: column '{name}' is of numbers with units, dates or such, "
            f"which would be {known.nunique()} categories: {_some(formatted)}",
            hint="Write plain numbers, such as 1234.5, and leave gaps empty; or names, such as "
            "'level 2', if they are names; or leave the column out: data.drop.",
        )


def _some(words: list[str]) -> str:
    return ", ".join(repr(word) for word in words[:3])
