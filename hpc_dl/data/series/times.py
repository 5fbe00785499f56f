"""Times of the rows of a series: at equal steps, of seconds or of the calendar. Light."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from hpc_dl.data.faults import Faults
from hpc_dl.data.tables.places import list_rows
from hpc_dl.data.tables.rows import Rows

if TYPE_CHECKING:
    import pandas

Array = np.ndarray[tuple[int, ...], np.dtype[Any]]
_ROUNDING = 1e-6
"""By which share of a step the others may differ from it."""
_SORT = (
    "Sort the rows by time, with one row a time. Series below each other become columns by pandas' "
    ".pivot(index=TIME, columns=SERIES, values=VALUE)."
)
_RESAMPLE = (
    "Resample them, like pandas' .resample('1h').mean().interpolate(); or leave data.time out, "
    "where the rows count as equal steps all the same."
)


def check(rows: Rows, name: str) -> tuple[str, ...]:
    """Return notes on the times in a column.

    Raises UserError with the rows of what is no time, and of those not at equal steps one after the
    other.
    """
    import pandas

    column, faults = rows.frame[name], Faults(rows.where)
    is_number = column.dtype.kind in "if"
    times = column if is_number else _parsed(column)
    faults.add(
        f"no times in '{name}'",
        list_rows(rows, times.isna().to_numpy()),
        "Write them as 2024-03-31T12:00, or as numbers.",
    )
    faults.refuse()
    steps = np.diff(times.to_numpy(np.float64) if is_number else _seconds(times))
    typical = np.median(steps) if len(steps) else 1.0
    is_other = np.abs(steps - typical) > _ROUNDING * abs(typical)
    faults.add(
        f"'{name}' goes backwards, or stands", list_rows(rows, np.r_[False, steps <= 0]), _SORT
    )
    faults.refuse()
    if is_other.any() and not is_number and (step := _of_calendar(times)):
        return (f"the steps of '{name}' are of the calendar: {step}",)
    shown = f"{typical:g}" if is_number else str(pandas.Timedelta(seconds=typical))
    faults.add(
        f"'{name}' has steps that are not as the others, {shown}",
        list_rows(rows, np.r_[False, is_other]),
        _RESAMPLE,
    )
    faults.refuse()
    return ()


def _parsed(column: pandas.Series[Any]) -> pandas.Series[Any]:
    """Return times in UTC, and NaT for what is none."""
    import pandas

    return pandas.to_datetime(column, errors="coerce", format="ISO8601", utc=True)


def _seconds(times: pandas.Series[Any]) -> Array:
    seconds: Array = (times - times.iloc[:1].squeeze()).dt.total_seconds().to_numpy()
    return seconds


def _of_calendar(times: pandas.Series[Any]) -> str:
    """Return the step of the calendar that is between all times, which go forwards; empty if there
    is none."""
    days = times.dt.tz_localize(None).to_numpy().astype("datetime64[D]")
    months = set(np.diff(days.astype("datetime64[M]").astype(int)).tolist())
    if len(months) == 1 and (step := months.pop()):
        return {1: "a month", 3: "a quarter", 12: "a year"}.get(step, f"{step} months")
    is_next = np.busday_count(days[:-1], days[1:]) == 1
    return "a day from Monday to Friday" if is_next.all() and np.is_busday(days).all() else ""
