"""Rows of a table as a network takes them: raw, by the names of their columns, if it was trained on
a file; else numbers alone, in the order of the training."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from hpc_dl.data.faults import resolve_home
from hpc_dl.data.tables import encoding, files
from hpc_dl.data.tables.rows import Rows
from hpc_dl.errors import UserError
from hpc_dl.jobspec.csv_format import CsvFormat
from hpc_dl.jobspec.facts import Column
from hpc_dl.predictor.arrays import Array, array

if TYPE_CHECKING:
    from pandas import DataFrame


def rows(given: Any) -> Any:
    """Return rows without column names, (N, columns) or (columns,), in the training's order."""
    if hasattr(given, "columns"):
        raise UserError(
            "table has names of columns, but was trained on arrays without any",
            hint="Give an array with the columns in the order of the training: x.to_numpy().",
        )
    return given


def encoded(given: Any, columns: Sequence[Column], csv: CsvFormat) -> Array:
    """Encode raw rows, (N, inputs) float64: a frame, a list of mappings, a mapping of columns, the
    path of a file; or an array, if all columns are of numbers without gaps. `csv` is the format of
    CSV files.

    Columns may be in any order; those that were dropped in the training are ignored. Raises
    UserError for what is missing or unknown, with its row and column.
    """
    if isinstance(given, str | Path):
        given = read(resolve_home("the table", given), csv)
    found = given if isinstance(given, Rows) else Rows(_frame(given, columns))
    if not len(found.frame):
        raise UserError(f"{found.where} has no rows")
    encoding.check_names(found, columns)
    return encoding.encode(found, columns)


def _frame(given: Any, columns: Sequence[Column]) -> DataFrame:
    import pandas

    if hasattr(given, "to_pandas"):  # pyarrow's, polars', and others' tables
        given = given.to_pandas()
    match given:
        case pandas.DataFrame():
            frame = given.reset_index(drop=True)
        case pandas.Series():
            frame = given.to_frame().T.infer_objects()
        case Mapping():
            frame = _of_columns(given)
        case [Mapping(), *_]:
            frame = pandas.DataFrame(_with_the_same_names(given))
        case _:
            names = [column.name for column in encoding.inputs(columns)]
            frame = pandas.DataFrame(_numbers(given, columns), columns=names)
    frame.columns = [str(name).strip() for name in frame.columns]
    return frame


def read(path: Path, csv: CsvFormat) -> Rows:
    """Read the rows of a file: Parquet, or CSV in a format."""
    with _hint_of_frames():
        return files.read_file(path, "the table", None if _is_parquet(path) else csv)


def read_in_parts(path: Path, csv: CsvFormat, size: int) -> Iterator[Rows]:
    """Yield the rows of a file as `read` reads them, `size` at a time."""
    with _hint_of_frames():
        yield from files.read_in_parts(path, "the table", None if _is_parquet(path) else csv, size)


def _is_parquet(path: Path) -> bool:
    if path.is_file():
        with path.open("rb") as opened:
            return opened.read(4) == b"PAR1"
    return path.is_dir()


@contextlib.contextmanager
def _hint_of_frames() -> Iterator[None]:
    """Add to the hint of an error that rows may be given as a frame as well."""
    try:
        yield
    except UserError as error:
        more = (
            "The training's options read it; for rows in a DataFrame: load(EXPORT).predict(rows)."
        )
        hint = f"{error.hint}\n{more}" if error.hint else ""
        raise UserError(error.message, hint=hint) from None


def _of_columns(given: Mapping[str, Any]) -> DataFrame:
    """Return a frame of columns by name; or of one row, if there is one value for each."""
    import pandas

    values = given.values()
    if not any(isinstance(it, list | tuple) or np.ndim(it) for it in values):
        return pandas.DataFrame([given])
    indices = [it.index for it in values if isinstance(it, pandas.Series)]
    if any(not it.equals(indices[0]) for it in indices):
        raise UserError(
            "the table: its columns have different indices",
            hint="Give each column as it.reset_index(drop=True), or all as one DataFrame.",
        )
    try:
        return pandas.DataFrame(given)
    except ValueError as error:
        raise UserError(f"the table: {error}") from None


def _with_the_same_names(given: Sequence[Mapping[str, Any]]) -> Sequence[Mapping[str, Any]]:
    """Return rows that all have the same names. Raises UserError for the first that differs."""
    for number, row in enumerate(given, start=1):
        differ = sorted(set(map(str, row)) ^ set(map(str, given[0])))
        if differ:
            raise UserError(
                f"the table: row {number} and row 1 do not have the same columns: "
                f"{', '.join(differ)}",
                hint="A gap is None.",
            )
    return given


def _numbers(given: Any, columns: Sequence[Column]) -> Array:
    """Return an array (N, columns) in the order of the file."""
    wanted = encoding.inputs(columns)
    if named := [it.name for it in wanted if it.type == "words"]:
        raise UserError(
            f"the table has columns of words, such as '{named[0]}', and is no array",
            hint="Give a DataFrame, a list of dicts, or the path of a file.",
        )
    found = array(given, "table")
    found = found[None] if found.ndim == 1 else found
    if found.ndim != 2 or found.shape[1] != len(wanted):
        names = ", ".join(it.name for it in wanted)
        raise UserError(f"table is {found.shape}, but has to be (N, {len(wanted)}): {names}")
    return found
