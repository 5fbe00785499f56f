"""Files of time series: rows at equal steps of time, without gaps. Light."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from hpc_dl.data.faults import Faults
from hpc_dl.data.tables.files import read_file
from hpc_dl.errors import UserError, first_few
from hpc_dl.jobspec.csv_format import CsvFormat
from hpc_dl.jobspec.sources.series import Series

if TYPE_CHECKING:
    import pandas

Array = np.ndarray[tuple[int, ...], np.dtype[Any]]
CHANNELS = 4
_LEAVE_OUT = "Name the series: data.columns; and the column of times: data.time."


def read(options: Series) -> tuple[tuple[str, ...], Array, tuple[str, ...]]:
    """Return the names of the series, their values (steps, series) float64, and notes.

    Raises UserError for what is no number, a gap, and times that are not at equal steps.
    """
    if options.path is None:
        return _eeg(options)
    rows = read_file(Path(options.path).expanduser(), "data.path", CsvFormat())
    _refuse_absent(options, list(rows.frame.columns), rows.where)
    notes = [*rows.notes]
    if options.time is None:
        notes.append("no column of times is named: the rows are taken to be at equal steps")
    else:
        _check_times(rows.frame[options.time], rows.where, options.time)
    names = options.columns or [it for it in rows.frame.columns if it != options.time]
    faults = Faults(rows.where)
    values = [_numbers(rows.frame[name], name, faults) for name in names]
    faults.refuse()
    if not values or not len(rows.frame):
        raise UserError(f"{rows.where} has no series", hint=_LEAVE_OUT)
    return tuple(names), np.stack(values, axis=1), tuple(notes)


def eeg_file() -> Path:
    """Return the EEG in matplotlib's wheel: 800 steps of four channels, float64."""
    spec = find_spec("matplotlib")
    assert spec is not None, "matplotlib is among hpcdl's requirements"
    assert spec.origin is not None
    return Path(spec.origin).parent / "mpl-data" / "sample_data" / "eeg.dat"


def _eeg(options: Series) -> tuple[tuple[str, ...], Array, tuple[str, ...]]:
    if options.time or options.columns:
        raise UserError("data.path: the EEG that is shipped has no columns and no times to choose")
    values = np.fromfile(eeg_file(), np.float64).reshape(-1, CHANNELS)
    return tuple(f"channel {number}" for number in range(1, CHANNELS + 1)), values, ()


def _refuse_absent(options: Series, there: list[str], where: str) -> None:
    asked = {"time": [options.time] if options.time else [], "columns": options.columns or []}
    for option, names in asked.items():
        if absent := [it for it in names if it not in there]:
            raise UserError(
                f"data.{option}: {where.removeprefix('data.path: ')} has no column "
                f"{first_few(map(repr, absent), 4)}",
                hint=f"It has: {first_few(there, 12)}.",
            )
    if options.time in asked["columns"]:
        raise UserError("data.columns: the column of times is no series")


def _numbers(column: pandas.Series[Any], name: str, faults: Faults) -> Array:
    """Return a column as numbers, and add a fault for the rows of what is none."""
    import pandas

    found = pandas.to_numeric(column, errors="coerce").to_numpy(np.float64, na_value=np.nan)
    absent = column.isna().to_numpy()
    faults.add(
        f"gaps in '{name}'", _rows(absent), "Fill them, or leave the series out: data.columns."
    )
    faults.add(f"no numbers in '{name}'", _rows(np.isnan(found) & ~absent), _LEAVE_OUT)
    faults.add(f"infinite numbers in '{name}'", _rows(np.isinf(found)), _LEAVE_OUT)
    return found


def _check_times(column: pandas.Series[Any], where: str, name: str) -> None:
    """Raise UserError for times that are not at equal steps, one after the other."""
    import pandas

    if column.dtype.kind in "if":
        times = column.to_numpy(np.float64)
    else:
        parsed = pandas.to_datetime(column, errors="coerce", format="ISO8601", utc=True)
        times = parsed.astype("int64").to_numpy(np.float64) / 1e9
        times[parsed.isna().to_numpy()] = np.nan
    faults = Faults(where)
    faults.add(
        f"no times in '{name}'",
        _rows(np.isnan(times)),
        "Write them as 2024-03-31T12:00, or as numbers.",
    )
    faults.refuse()
    steps = np.diff(times)
    typical = np.median(steps) if len(steps) else 1.0
    is_other = np.concatenate([[False], np.abs(steps - typical) > 1e-6 * abs(typical)])
    faults.add(f"'{name}' goes backwards, or stands", _rows(np.r_[False, steps <= 0]), _SORT)
    faults.add(
        f"'{name}' has steps that are not as the others, {typical:g}", _rows(is_other), _RESAMPLE
    )
    faults.refuse()


_SORT = "Sort the rows by time, with one row a time."
_RESAMPLE = "Resample them, like pandas' .resample('1h').mean().interpolate(). Seconds, of dates."


def _rows(which: Array) -> list[str]:
    """Return the rows of a mask, counted from 1 after the header."""
    return [f"row {it + 1}" for it in np.flatnonzero(which)]
