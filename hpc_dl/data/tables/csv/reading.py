"""CSV files as frames: pandas reads them in the dialect of their first lines or the job spec."""

from __future__ import annotations

import contextlib
import csv
import warnings
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, TextIO

from hpc_dl.data.faults import Faults, reading
from hpc_dl.data.tables.csv import numbers, text_files
from hpc_dl.data.tables.csv.dialect import Dialect, find_dialect
from hpc_dl.data.tables.csv.gaps import LOOKED_AT, find_words, leave_out_empty_rows, note_words
from hpc_dl.data.tables.csv.notes import note_doubts
from hpc_dl.data.tables.csv.rows import WHITESPACE, split
from hpc_dl.data.tables.csv.text_files import TextFile
from hpc_dl.data.tables.row_numbers import is_nameless
from hpc_dl.data.tables.rows import Rows
from hpc_dl.errors import UserError
from hpc_dl.jobspec.csv_format import CsvFormat

if TYPE_CHECKING:
    from pandas import DataFrame

_UNEVEN = (
    "A gap is an empty field between two separators, and a field that has one in it needs quotes. "
    "What is no row of the table has to go; data.comment names a sign that begins remarks."
)


def read(path: Path, key: str, options: CsvFormat) -> Rows:
    """Read the CSV file that the option `key` names. Raises UserError for one that is none, or
    that can be read in two ways."""
    file = text_files.find_text(path, key, options.encoding)
    dialect = find_dialect(file, options)
    frame = _read(file, dialect, options)
    decimal = numbers.find_decimal(file, frame, dialect, options)
    if decimal == "," and dialect.sep != ",":
        frame = _read(file, dialect, options, decimal=",")
    elif decimal is None and (floats := list(frame.select_dtypes("float"))):
        numbers.refuse_unclear_points(
            file, _read(file, dialect, options, usecols=floats, dtype=str)
        )
    decimal = decimal or "."
    _refuse_uneven_rows(file, frame, dialect, options)
    notes = [*dialect.notes, *numbers.note_decimal(decimal, dialect, frame)]
    notes += numbers.convert_numbers(frame, decimal, options)
    frame, more = leave_out_empty_rows(frame)
    words = _find_gap_words(file, frame, dialect, options)
    notes += [*note_words(words), *more, *note_doubts(frame, dialect)]
    asked = set(map(str, options.na_values))
    by_default = {name: [it for it in found if it not in asked] for name, found in words.items()}
    return Rows(frame, file.where, str(path), True, dialect.after, tuple(notes), by_default)


def read_in_parts(path: Path, key: str, options: CsvFormat, size: int) -> Iterator[Rows]:
    """Yield the rows of a CSV file, `size` at a time. What is not in the options is found from the
    first of them; raises as `read` does."""
    file = text_files.find_text(path, key, options.encoding)
    dialect = find_dialect(file, options)
    first = _read(file, dialect, options, nrows=size)
    decimal = numbers.find_decimal(file, first, dialect, options)
    if decimal is None and (floats := list(first.select_dtypes("float"))):
        as_text = {"usecols": floats, "dtype": str, "nrows": size}
        numbers.refuse_unclear_points(file, _read(file, dialect, options, **as_text))
    decimal = decimal or "."
    notes, is_even = (*dialect.notes, *numbers.note_decimal(decimal, dialect, first)), False
    by_commas = {"decimal": ","} if decimal == "," and dialect.sep != "," else {}
    parts = _read_parts(file, dialect, options, chunksize=size, **by_commas)
    for frame, is_last in _until_last(parts):
        if not is_even and frame.iloc[:, _least(dialect) - 1].isna().any():
            _refuse_uneven_rows(file, frame, dialect, options)  # reads the file once more
            is_even = True
        numbers.convert_numbers(frame, decimal, options)
        filled, more = leave_out_empty_rows(frame) if is_last else (frame, [])
        yield Rows(filled, file.where, str(path), True, dialect.after, (*notes, *more))


def _read_parts(
    file: TextFile, dialect: Dialect, options: CsvFormat, **more: Any
) -> Iterator[DataFrame]:
    """Yield the rows part by part."""
    with file.open(dialect.skip) as text, _errors_of_rows(file, dialect, options):
        yield from _parse(text, dialect, options, **more)


def _until_last(parts: Iterator[DataFrame]) -> Iterator[tuple[DataFrame, bool]]:
    """Yield each part, and whether it is the last."""
    before = next(parts, None)
    for part in parts:
        yield before, False
        before = part
    if before is not None:
        yield before, True


def _find_gap_words(
    file: TextFile, frame: DataFrame, dialect: Dialect, options: CsvFormat
) -> dict[str, list[str]]:
    """Return by column the words that were read as gaps: its gaps are read again, as text."""
    columns = list(frame.columns[frame.isna().any()])
    if not columns:
        return {}
    as_text = {"dtype": str, "keep_default_na": False, "na_values": []}
    texts = _read(file, dialect, options, usecols=columns, nrows=LOOKED_AT, **as_text)
    return find_words(frame, texts)


def _read(file: TextFile, dialect: Dialect, options: CsvFormat, **more: Any) -> DataFrame:
    """Read all rows by pandas."""
    with file.open(dialect.skip) as text, _errors_of_rows(file, dialect, options):
        return _parse(text, dialect, options, **more)


def _parse(text: TextIO, dialect: Dialect, options: CsvFormat, **more: Any) -> Any:
    import pandas

    given: dict[str, Any] = {
        "sep": r"\s+" if dialect.sep == WHITESPACE else dialect.sep,
        "names": dialect.names,
        "header": None,
        "index_col": False,
        "skipinitialspace": True,
        "comment": options.comment,
        "na_values": ["", *options.na_values],  # an empty field is a gap in any case
        "keep_default_na": options.keep_default_na,
        "dtype": {it: str for it in dialect.names if it.strip() in options.categories},
        "low_memory": False,  # or each part of a long file would have types of its own
    }
    return pandas.read_csv(text, **given | more)


@contextlib.contextmanager
def _errors_of_rows(file: TextFile, dialect: Dialect, options: CsvFormat) -> Iterator[None]:
    """Raise UserError, with the rows that are at fault, for what pandas does not read."""
    import pandas

    with reading(file.key, file.path, "csv"):
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("error", pandas.errors.ParserWarning)
                yield
        except (pandas.errors.ParserError, pandas.errors.ParserWarning) as error:
            _refuse_rows(file, dialect, options, str(error))
            raise UserError(f"{file.where} is no readable csv: {error}") from None


def _refuse_uneven_rows(
    file: TextFile, frame: DataFrame, dialect: Dialect, options: CsvFormat
) -> None:
    """Raise UserError for rows with too few fields, which pandas reads as gaps at their ends."""
    if frame.iloc[:, _least(dialect) - 1].isna().any():
        with reading(file.key, file.path, "csv"):
            _refuse_rows(file, dialect, options)


def _least(dialect: Dialect) -> int:
    """Return the number of columns up to the last with a name: a row may end there."""
    named = [place for place, it in enumerate(dialect.names, 1) if not is_nameless(it)]
    return max(named, default=1)


def _refuse_rows(file: TextFile, dialect: Dialect, options: CsvFormat, error: str = "") -> None:
    """Raise UserError with all rows that have too many or too few fields."""
    least, most = _least(dialect), len(dialect.names)
    line, places = dialect.skip + 1, defaultdict[int, list[str]](list)
    rows = split(file.lines(dialect.skip), dialect.sep, options.comment, dialect.skip)
    try:
        for number, (line, row) in enumerate(rows, 1):
            if not least <= len(row) <= most:
                after = "" if places[len(row)] else dialect.after
                places[len(row)].append(f"row {number}{after} (line {line})")
    except csv.Error as reason:  # a field of more than 16 MB
        error = error or str(reason)
    if "EOF inside string" in error or "field limit" in error:
        raise UserError(
            f"{file.where}: a quotation that begins in line {line}, or soon after it, has no end",
            hint='Close it by ", or write a " that is no quotation as "" within one.',
        )
    faults = Faults(file.where)
    for count, at in sorted(places.items()):
        faults.add(f"rows of {count} fields in place of {most}", at, _UNEVEN)
    faults.refuse()
