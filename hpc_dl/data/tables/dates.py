"""Dates of tables as numbers, the same in every file: days since 1970-01-01 in UTC.

Light: without torch.
"""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING, Any

from hpc_dl.data.faults import Faults
from hpc_dl.data.tables.columns import as_words, rows_by_value

if TYPE_CHECKING:
    from pandas import DataFrame, Series

ISO = "ISO8601"
"""What pandas calls dates like 2021-03-04 and 2021-03-04T12:00:00Z, which have one reading."""
LOOKED_AT = 1000
"""Different dates, at most, from which the format is found."""


def find_format(frame: DataFrame, name: str, faults: Faults) -> str:
    """Return the format of a column of dates; the empty string where they are no text.

    A fault is added where the dates have two readings.
    """
    if is_time(frame[name]):
        return ""
    words = as_words(frame[name]).dropna()
    some = words.drop_duplicates().head(LOOKED_AT)
    right = {form: int(_parse(some, form).notna().sum()) for form in [ISO, *_guesses(some)]}
    best = [form for form, count in right.items() if count == max(right.values())]
    if ISO in best:
        return ISO
    readings = {form: _parse(words, form) for form in best[:2]}
    if len(readings) == 2 and not readings[best[0]].equals(readings[best[1]]):
        shown = ", ".join(repr(word) for word in some.head(3))
        faults.add(
            f"column '{name}' has dates with two readings, {' and '.join(best[:2])}",
            [shown],
            f"Name the right one: data.dates: {{{name}: '{best[0]}'}}.",
        )
    return best[0]


def is_time(column: Series[Any]) -> bool:
    """Return whether the values are times already, and no text or numbers."""
    import pandas

    if column.dtype.kind == "M":
        return True
    kind = pandas.api.types.infer_dtype(column, skipna=True) if column.dtype.kind == "O" else ""
    return kind in ("datetime64", "datetime", "date")


def as_days(frame: DataFrame, name: str, form: str, faults: Faults) -> Series[Any]:
    """Return the days, float64, of dates in a format; gaps are NaN. Times of no zone are in UTC.

    A fault is added for what is no date.
    """
    import pandas

    column = frame[name]
    given = column if is_time(column) else as_words(column)
    times = _parse(given, form or None)
    odd = (times.isna() & given.notna()).to_numpy()
    what = f"is no date as {form}" if form else "is no date"
    hint = f"Name the format, as strptime of Python has it: data.dates: {{{name}: '%d.%m.%Y'}}."
    faults.add(f"column '{name}' {what}", rows_by_value(frame, name, odd), hint)
    days: Series[Any] = (times - pandas.Timestamp(0, tz="UTC")) / pandas.Timedelta(days=1)
    return days.astype("float64")


def show(days: float) -> str:
    """Return the date that is so many days after 1970-01-01."""
    import numpy as np

    return str(np.datetime64(0, "s") + np.timedelta64(round(days * 86_400), "s"))[:16].removesuffix(
        "T00:00"
    )


def _guesses(words: Series[Any]) -> list[str]:
    """Return the formats that some of the words may have, with the day or the month first."""
    from pandas.tseries.api import guess_datetime_format

    found: dict[str, None] = {}
    with warnings.catch_warnings(action="ignore"):  # of a day that cannot be a month
        for word in words:
            for first in (True, False):
                found |= {guess_datetime_format(word, dayfirst=first): None}
    return [form for form in found if form]


def _parse(values: Series[Any], form: str | None) -> Series[Any]:
    """Return times in UTC, NaT for what is not of that format."""
    import pandas

    return pandas.to_datetime(values, format=form, errors="coerce", utc=True)
