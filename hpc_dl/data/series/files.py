"""Files of time series: rows at equal steps of time, without gaps. Light."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np

from hpc_dl.data.faults import Faults
from hpc_dl.data.series import times
from hpc_dl.data.tables.absent import refuse_absent
from hpc_dl.data.tables.files import read_file
from hpc_dl.data.tables.places import list_rows
from hpc_dl.data.tables.row_numbers import drop_index
from hpc_dl.data.tables.rows import Rows
from hpc_dl.errors import UserError, first_few
from hpc_dl.jobspec.sources.series import Series

Array = np.ndarray[tuple[int, ...], np.dtype[Any]]
CHANNELS = 4
_NO_TIMES = ("no column of times is named: the rows are taken to be at equal steps",)
_LEAVE_OUT = "Name the series: data.columns; and the column of times: data.time."


def read(options: Series) -> tuple[tuple[str, ...], Array, tuple[str, ...]]:
    """Return the names of the series, their values (steps, series) float64, and notes.

    Raises UserError for what is no number, a gap, and times that are not at equal steps.
    """
    if options.path is None:
        return _eeg(options)
    rows = read_file(Path(options.path).expanduser(), "data.path", options)
    refuse_absent(rows, [options.time] if options.time else [], "data.time")
    refuse_absent(rows, options.columns or [], "data.columns")
    if options.time in (options.columns or []):
        raise UserError("data.columns: the column of times is no series")
    if not len(rows.frame):
        raise UserError(f"{rows.where} has no rows")
    notes = times.check(rows, options.time) if options.time else _NO_TIMES
    if options.columns is None:
        rows = drop_index(replace(rows, frame=rows.frame.drop(columns=options.time or [])))
    names = options.columns or [*rows.frame.columns]
    if not names:
        raise UserError(f"{rows.where} has no series", hint=_LEAVE_OUT)
    faults = Faults(rows.where)
    values = np.stack([_numbers(rows, name, faults) for name in names], axis=1)
    faults.refuse()
    return tuple(names), values, (*rows.notes, *notes, *_refuse_constant(rows, names, values))


def eeg_file() -> Path:
    """Return the EEG in matplotlib's wheel: 800 steps of four channels, float64."""
    spec = find_spec("matplotlib")
    assert spec is not None, "matplotlib is among hpcdl's requirements"
    assert spec.origin is not None
    return Path(spec.origin).parent / "mpl-data" / "sample_data" / "eeg.dat"


def _eeg(options: Series) -> tuple[tuple[str, ...], Array, tuple[str, ...]]:
    if options.time or options.columns or options.of_csv:
        raise UserError("data.path: the EEG that is shipped has no columns and no times to choose")
    values = np.fromfile(eeg_file(), np.float64).reshape(-1, CHANNELS)
    return tuple(f"channel {number}" for number in range(1, CHANNELS + 1)), values, ()


def _numbers(rows: Rows, name: str, faults: Faults) -> Array:
    """Return a column as numbers, and add a fault for the rows of what is none."""
    import pandas

    column = rows.frame[name]
    found = pandas.to_numeric(column, errors="coerce").to_numpy(np.float64, na_value=np.nan)
    absent, large = column.isna().to_numpy(), np.abs(found) > np.finfo(np.float32).max
    wrong = {
        f"gaps in '{name}'": (absent, "Fill them, or leave the series out: data.columns."),
        f"no numbers in '{name}'": (np.isnan(found) & ~absent, _LEAVE_OUT),
        f"infinite numbers in '{name}'": (np.isinf(found), _LEAVE_OUT),
        f"numbers in '{name}' that are too large for floats": (
            large & np.isfinite(found),
            "Take another unit, or leave the series out: data.columns.",
        ),
    }
    for what, (where, hint) in wrong.items():
        faults.add(what, list_rows(rows, where), hint)
    return found


def _refuse_constant(rows: Rows, names: Sequence[str], values: Array) -> tuple[str, ...]:
    """Return a note on series that have one value alone. Raises UserError where all are such."""
    is_constant = (values == values[0]).all(axis=0)
    found = first_few(name for name, it in zip(names, is_constant, strict=True) if it)
    if is_constant.all():
        raise UserError(f"{rows.where}: there is nothing to learn from: {found} never changes")
    return (f"series that never change: {found}",) if is_constant.any() else ()
