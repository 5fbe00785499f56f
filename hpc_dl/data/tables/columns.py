"""Columns of tables as one of three types: numbers, true or false, and words.

Light: without torch.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from hpc_dl.data.exact import MOST_INTEGER
from hpc_dl.data.faults import Faults
from hpc_dl.data.tables.places import Array, list_by_value, show_example
from hpc_dl.data.tables.rows import Rows

if TYPE_CHECKING:
    from pandas import Series

Type = Literal["number", "bool", "words"]

MOST = 3.4028234663852886e38
"""The largest finite float32."""
WITHOUT_VALUE, LEAVE_OUT = "without any value", "Leave it out: data.drop."
_NUMBERS = ("integer", "floating", "mixed-integer-float", "decimal")
_BY_DTYPE = {
    "b": "boolean",
    "i": "integer",
    "u": "integer",
    "f": "floating",
    "c": "complex numbers",
    "M": "dates",
    "m": "spans of time",
}
"""By NumPy's letter for the kind of a type; that of objects is found from the values."""
_BY_VALUES = {
    "datetime64": "dates",
    "datetime": "dates",
    "date": "dates",
    "timedelta64": "spans of time",
    "timedelta": "spans of time",
    "time": "times of the day",
    "period": "periods",
    "interval": "intervals",
    "complex": "complex numbers",
}
_HINTS = {
    "dates": "data.dates makes numbers of dates, data.drop leaves columns out.",
    "spans of time": "In pandas, column / pandas.Timedelta(days=1) makes numbers of spans of time.",
    "bytes": "In pandas, column.str.decode('utf-8') makes words of bytes.",
    "lists": "Make a column of each element, or leave lists out: data.drop.",
    "structs": "Make a column of each field, or leave structs out: data.drop.",
}


def is_text(column: Series[Any]) -> bool:
    """Return whether a column is of words, or of anything else that is no number."""
    return column.dtype.kind == "O"


def is_gap(column: Series[Any]) -> Array:
    """Return which values are missing, (N,) bool; of text, empty words as well."""
    found: Array = (as_words(column) if is_text(column) else column).isna().to_numpy(dtype=bool)
    return found


def find_kind(column: Series[Any]) -> str:
    """Return what the values of a column are: pandas' name of numbers, booleans and words, a word
    for people of all else, and `empty` where there are none."""
    import pandas

    if not column.notna().any():
        return "empty"
    if kind := _BY_DTYPE.get(column.dtype.kind):
        return kind
    known = column.dropna()
    if isinstance(column.dtype, pandas.CategoricalDtype):
        known = known.astype(column.dtype.categories.dtype)
    if kind := _BY_DTYPE.get(known.dtype.kind):
        return kind
    kind = pandas.api.types.infer_dtype(known)
    if kind != "mixed":
        return _BY_VALUES.get(kind, kind)
    if known.map(lambda it: isinstance(it, str | int | float)).all():
        return "mixed-integer"
    first = known.iloc[0]
    return {dict: "structs", list: "lists", np.ndarray: "lists"}.get(type(first), "Python objects")


def plain(rows: Rows, name: str, faults: Faults) -> tuple[Type, Series[Any]] | None:
    """Return the type of a column, and its values as numbers, booleans or words; gaps are NaN.

    None, and a fault, for what is none of them, or has values that floats cannot hold.
    """
    column = rows.frame[name]
    kind = find_kind(column)
    if kind == "boolean":
        return "bool", floats(column)
    if kind in _NUMBERS:
        numbers = floats(column)
        return ("number", numbers) if _add_infinite(rows, name, numbers, faults) else None
    if kind in ("string", "mixed-integer"):
        return "words", as_words(column)
    if kind == "empty":
        faults.add(WITHOUT_VALUE, [f"column '{name}'"], LEAVE_OUT)
    else:
        faults.add(
            "neither numbers nor words",
            [f"column '{name}' is of {kind}, such as {show_example(column)}"],
            _HINTS.get(kind, LEAVE_OUT),
        )
    return None


def as_words(column: Series[Any]) -> Series[Any]:
    """Return any column as words without blanks around them; gaps and empty words are NaN.

    The word of a number is the same whether it is held as an integer or as a float.
    """
    import pandas

    try:
        codes, different = pandas.factorize(column)
    except TypeError:  # of lists and others without a hash
        return column.astype(object).map(_word, na_action="ignore")
    words = [*map(_word, different), math.nan]  # the last for the code of gaps, -1
    return pandas.Series(np.array(words, object)[codes], column.index, object)


def floats(column: Series[Any]) -> Series[Any]:
    """Return numbers or booleans as float64; gaps are NaN."""
    if isinstance(column.dtype, np.dtype) and column.dtype.kind in "iufb":
        return column.astype("float64")
    known = column.astype(object).where(column.notna(), math.nan)
    return known.map(_as_float).astype("float64")


def count_different(values: Series[Any]) -> int:
    """Return how many different values there are, gaps aside."""
    if values.dtype != np.float64:
        return int(values.nunique())
    known = np.sort(values.to_numpy())  # several times as fast as a hash table; NaN at the end
    return int((known[1:] > known[:-1]).sum()) + int(not np.isnan(known[:1]).all())


def _as_float(value: Any) -> float:
    try:
        return float(value)
    except OverflowError:  # of an integer with hundreds of digits
        return math.inf


def _word(value: Any) -> str | float:
    if isinstance(value, float | np.floating) and value.is_integer():
        return str(int(value))
    return str(value).strip() or math.nan


def _add_infinite(rows: Rows, name: str, numbers: Series[Any], faults: Faults) -> bool:
    """Return whether floats hold all numbers; else add a fault with those that are infinite, or too
    large for them."""
    if np.nanmax(np.abs(numbers.to_numpy()), initial=0) <= MOST_INTEGER:
        return True  # soon, for tables of thousands of columns
    infinite, column = np.isinf(numbers.to_numpy()), rows.frame[name]
    large = (numbers.abs() > MOST).to_numpy() & ~infinite
    if numbers.abs().max() > MOST_INTEGER:
        exact = column.astype(object)[~infinite]
        odd = exact.map(lambda it: isinstance(it, int) and int(float(it)) != it)
        large[~infinite] |= odd.to_numpy(dtype=bool)
    for what, wrong in (("is not finite", infinite), ("has what floats cannot hold", large)):
        faults.add(
            f"column '{name}' {what}",
            list_by_value(rows, name, wrong),
            "Fill it in, leave the row out, or the column: data.drop.",
        )
    return not (infinite | large).any()
