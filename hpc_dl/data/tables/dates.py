"""Dates of tables as numbers, the same in every file: days since 1970-01-01 in UTC.

Light: without torch.
"""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING, Any

from hpc_dl.data.faults import Faults
from hpc_dl.data.tables.columns import LEAVE_OUT, WITHOUT_VALUE, as_words, find_kind
from hpc_dl.data.tables.places import list_by_value, show_value
from hpc_dl.data.tables.rows import Rows
from hpc_dl.errors import UserError, first_few

if TYPE_CHECKING:
    from pandas import Series

ISO = "ISO8601"
"""What pandas calls dates like 2021-03-04 and 2021-03-04T12:00:00Z, which have one reading."""
LOOKED_AT = 1000
"""Different dates, at most, from which the format is found."""
HINT = (
    "Name the format, as strptime has it: data.dates: {NAME: '%d.%m.%Y'}, with %y for years of two "
    "digits. Whole numbers like 20210304 are dates; others, like seconds since 1970, are inputs as "
    "they are."
)
AS_TRAINED = "Dates have to be written as in the rows that were trained on."
_KINDS = ("dates", "string", "integer", "floating", "mixed-integer")


def find_days(rows: Rows, name: str, form: str, faults: Faults) -> tuple[str, Series[Any]]:
    """Return the format of a column of dates, `form` if that is given, and their days.

    The format is empty where they are no text. A fault is added for what is no date, or can be read
    in two ways.
    """
    column = rows.frame[name]
    kind = find_kind(column)
    if kind == "empty":
        faults.add(WITHOUT_VALUE, [f"column '{name}'"], LEAVE_OUT)
    elif kind not in _KINDS:
        faults.add("no dates", [f"column '{name}' is of {kind}"], LEAVE_OUT)
    else:
        form = "" if is_time(column) else form or _find_format(as_words(column), name, faults)
        return form, as_days(rows, name, form, faults, is_trained=False)
    return form, column.isna().astype("float64")


def is_time(column: Series[Any]) -> bool:
    """Return whether the values are times already, and no text or numbers."""
    return find_kind(column) == "dates"


def as_days(
    rows: Rows, name: str, form: str, faults: Faults, *, is_trained: bool = True
) -> Series[Any]:
    """Return the days, float64, of dates in a format; gaps are NaN. Times of no zone are in UTC.

    A fault is added for what is no date. `is_trained` says that the format is that of a training.
    """
    import pandas

    column = rows.frame[name]
    if is_time(column):
        given, times = column, _parse(column, None)
    else:
        given = as_words(column)
        times = _parse(given, form or ISO)
    start = pandas.Timestamp(0, tz="UTC").as_unit("s")  # whose nanoseconds end in 2262
    days: Series[Any] = (times - start) / pandas.Timedelta(days=1)
    wrong = days.isna() & given.notna()
    hint = AS_TRAINED if is_trained else HINT.replace("NAME", name)
    if not is_trained and rows.is_csv and 0 < wrong.sum() < len(wrong) / 2:
        words = first_few(map(repr, given[wrong].unique()))
        hint = f"If these are gaps: data.na_values: [{words}]. {hint}"
    places = list_by_value(rows, name, wrong.to_numpy())
    faults.add(f"column '{name}' is no date as {form or ISO}", places, hint)
    return days.astype("float64")


def show(days: float) -> str:
    """Return the date that is so many days after 1970-01-01."""
    import numpy as np

    return str(np.datetime64(0, "s") + np.timedelta64(round(days * 86_400), "s"))[:16].removesuffix(
        "T00:00"
    )


def _find_format(words: Series[Any], name: str, faults: Faults) -> str:
    """Return the format of which most of the words are. A fault is added where there are two."""
    different = words.dropna().drop_duplicates()
    readings = {form: _parse(different, form) for form in _candidates(different.head(LOOKED_AT))}
    most = max(it.notna().sum() for it in readings.values())
    best = [form for form, it in readings.items() if it.notna().sum() == most]
    if best[0] != ISO and any(not readings[it].equals(readings[best[0]]) for it in best):
        faults.add(
            f"column '{name}' has dates with two readings, {' and '.join(best[:2])}",
            map(show_value, different),
            f"Name the right one: data.dates: {{{name}: '{best[0]}'}}.",
        )
    return best[0]


def _candidates(words: Series[Any]) -> list[str]:
    """Return the formats that some of the words may have, with the day or the month first."""
    from pandas.tseries.api import guess_datetime_format

    found: dict[str | None, None] = {ISO: None}
    with warnings.catch_warnings(action="ignore"):  # of a day that cannot be a month
        for word in words:
            for first in (True, False):
                found |= {guess_datetime_format(word, dayfirst=first): None}
    return [form for form in found if form]


def _parse(values: Series[Any], form: str | None) -> Series[Any]:
    """Return times in UTC, NaT for what is not of that format."""
    import pandas

    try:
        return pandas.to_datetime(values, format=form, errors="coerce", utc=True)
    except ValueError as error:  # of a format that is none
        raise UserError(f"data.dates: {error}", hint="Formats are those of strptime.") from None
