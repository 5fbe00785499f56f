"""Files of tables: read, with notes on how, or refused."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from hpc_dl.data.faults import reading, regular_file
from hpc_dl.data.file_forms import HEAD, find_other_form
from hpc_dl.data.tables import parquet_files
from hpc_dl.data.tables.csv.reading import read as read_csv
from hpc_dl.data.tables.csv.reading import read_in_parts as read_csv_in_parts
from hpc_dl.data.tables.row_numbers import drop_index
from hpc_dl.data.tables.rows import Rows
from hpc_dl.errors import UserError
from hpc_dl.jobspec.csv_format import CsvFormat
from hpc_dl.jobspec.sources.tables import TableFiles


def read_rows(source: TableFiles, key: str) -> Rows:
    """Read the rows of the file that an option of a source names.

    Raises UserError, which begins with the option, where it is no table, or has no rows.
    """
    file, option = Path(getattr(source, key)).expanduser(), f"data.{key}"
    rows = read_file(file, option, source if isinstance(source, CsvFormat) else None)
    if rows.frame.empty:
        raise UserError(f"{rows.where} has no rows")
    return drop_index(rows)


def read_file(file: Path, option: str, csv: CsvFormat | None) -> Rows:
    """Read a CSV file in a format, or without one a Parquet file.

    Raises UserError, which begins with the option, where it cannot be read.
    """
    file = _checked(file, option, csv)
    return _named(read_csv(file, option, csv) if csv else parquet_files.read(file, option))


def read_in_parts(file: Path, option: str, csv: CsvFormat | None, size: int) -> Iterator[Rows]:
    """Yield the rows of a file as `read_file` reads them, `size` at a time."""
    file = _checked(file, option, csv)
    if csv:
        parts = read_csv_in_parts(file, option, csv, size)
    else:
        parts = parquet_files.read_in_parts(file, option, size)
    return map(_named, parts)


def _checked(file: Path, option: str, csv: CsvFormat | None) -> Path:
    if csv or not file.is_dir():
        file = regular_file(option, file)
    if csv is None and file.is_file():
        _refuse_other_form(file, option)
    return file


def _named(rows: Rows) -> Rows:
    """Return rows whose columns have names without blanks around them. Raises UserError where two
    are the same."""
    frame = rows.frame
    frame.columns = frame.columns.map(str).str.strip()
    if frame.columns.has_duplicates:
        name = frame.columns[frame.columns.duplicated()][0]
        raise UserError(f"{rows.where} has several columns '{name}'")
    return rows


def _refuse_other_form(file: Path, option: str) -> None:
    """Raise UserError for a file that does not begin as Parquet does."""
    with reading(option, file, "file"), file.open("rb") as opened:
        head = opened.read(HEAD)
    if head and not head.startswith((b"PAR1", b"PARE")):  # PARE: encrypted
        text = ("no Parquet file", "data.name: csv reads text.")
        what, hint = find_other_form(head) or text
        raise UserError(f"{option}: {file} is {what}", hint=hint)
