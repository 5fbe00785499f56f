"""Files of tables as frames: read, with notes on how, or refused."""

from __future__ import annotations

from collections.abc import Sequence
from difflib import get_close_matches
from pathlib import Path
from typing import TYPE_CHECKING

from hpc_dl.data.tables import csv_files
from hpc_dl.data.tables.row_numbers import drop_index
from hpc_dl.errors import UserError
from hpc_dl.jobspec.sources.tables import Csv, Table

if TYPE_CHECKING:
    from pandas import DataFrame


def read_frame(source: Table, path: str) -> DataFrame:
    """Read a source's file as a frame. Raises UserError where it is none, or has no rows."""
    file = Path(path).expanduser()
    if not file.is_file():
        raise UserError(f"data.path: there is no file {file}")
    try:
        frame, notes = read_file(file, parquet=not isinstance(source, Csv))
    except UserError as error:
        raise UserError(f"data.path: {error.message}", hint=error.hint) from None
    frame.attrs.update(file=f"data.path: {file}", after=" after the header", notes=notes)
    if frame.empty:
        raise UserError(f"data.path: {file} has no rows")
    return drop_index(frame)


def read_file(file: Path, *, parquet: bool) -> csv_files.Read:
    """Read a file, with notes on how. Raises UserError where it cannot be read."""
    try:
        frame, notes = _parquet(file) if parquet else csv_files.read(file)
    except UnicodeDecodeError as error:
        guess = _guess_encoding(file)
        raise UserError(
            f"{file} is not UTF-8: {error}",
            hint=f"If it is {guess}: iconv -f {guess} -t utf-8 OLD > NEW",
        ) from None
    except (OSError, ValueError) as error:  # of which those of pandas and pyarrow are kinds
        kind = "parquet" if parquet else "csv"
        raise UserError(f"{file} is no readable {kind}: {error}") from None
    frame.columns = frame.columns.map(str).str.strip()
    if frame.columns.has_duplicates:
        name = frame.columns[frame.columns.duplicated()][0]
        raise UserError(f"{file} has several columns '{name}'")
    return frame, notes


def _guess_encoding(file: Path) -> str:
    """Guess the encoding of a file that is not in UTF-8."""
    with file.open("rb") as opened:
        return "UTF-16" if opened.read(2) in (b"\xff\xfe", b"\xfe\xff") else "LATIN1"


def _parquet(file: Path) -> csv_files.Read:
    import pandas

    frame = pandas.read_parquet(file)
    named = [str(name) for name in frame.index.names if name is not None]
    return frame.reset_index(drop=True), [
        f"the index '{name}' of {file.name} is not read" for name in named
    ]


def refuse_absent(frame: DataFrame, wanted: Sequence[str], key: str = "data.path: ") -> None:
    """Raise UserError for the first column that is not there."""
    there, file = list(frame.columns), frame.attrs["file"].removeprefix("data.path: ")
    for name in wanted:
        if name not in there:
            near = get_close_matches(name, there, 3)
            guess = f"Did you mean {' or '.join(near)}?" if near else f"It has: {', '.join(there)}."
            if any(it.replace(".", "").isdigit() for it in there):
                guess += " A file's first row has to name the columns."
            raise UserError(f"{key}{file} has no column '{name}'", hint=guess)
