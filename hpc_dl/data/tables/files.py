"""Files of tables as frames: read, with notes on how, or refused."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from hpc_dl.data.tables import csv_files, parquet_files
from hpc_dl.data.tables.row_numbers import drop_index
from hpc_dl.errors import UserError
from hpc_dl.jobspec.sources.tables import Csv, Table

if TYPE_CHECKING:
    from pandas import DataFrame


def read_frame(source: Table, key: str) -> DataFrame:
    """Read the file that an option of a source names as a frame.

    Raises UserError, which begins with the option, where it is no table, or has no rows.
    """
    file, option = Path(getattr(source, key)).expanduser(), f"data.{key}"
    if not file.is_file():
        raise UserError(f"{option}: there is no file {file}")
    try:
        frame, notes = read_file(file, parquet=not isinstance(source, Csv))
    except UserError as error:
        raise UserError(f"{option}: {error.message}", hint=error.hint) from None
    where = f"{option}: {file}"
    frame.attrs.update(file=where, path=str(file), after=" after the header", notes=notes)
    frame.attrs["form"] = "csv" if isinstance(source, Csv) else "parquet"
    if frame.empty:
        raise UserError(f"{where} has no rows")
    return drop_index(frame)


def read_file(file: Path, *, parquet: bool) -> csv_files.Read:
    """Read a file, with notes on how. Raises UserError where it cannot be read."""
    try:
        frame, notes = parquet_files.read(file) if parquet else csv_files.read(file)
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
