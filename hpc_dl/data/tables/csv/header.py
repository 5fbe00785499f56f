"""Names of the columns of a CSV file: of its first row, of the job spec, or `c0`, `c1`, ..."""

from __future__ import annotations

import itertools
import math
from collections import Counter
from collections.abc import Sequence

from hpc_dl.data.tables.csv.rows import Row
from hpc_dl.data.tables.csv.text_files import TextFile
from hpc_dl.errors import UserError, first_few
from hpc_dl.jobspec.csv_format import CsvFormat

ABOVE = "data.skiprows leaves out lines above the table."
_GAPS = ("na", "nan", "null", "none", "n/a", "unknown", "missing", "inf")
"""Words that may stand among numbers."""
_CHOICE = (
    "data.header: false takes it as a row of values, of columns that are called c0, c1, ..., or as "
    "data.names says; data.header: true takes it as names."
)


def find_names(
    file: TextFile,
    first: Sequence[str] | None,
    rows: Sequence[Row],
    options: CsvFormat,
    *,
    begin_quoted: bool,
) -> list[str]:
    """Return the names of all columns. `first` is the row that names them, if one does; `rows` are
    some of those below it, whose first fields may all be in quotes."""
    width = _usual_width(rows) or len(first or ())
    if first is None:
        names = options.names or [f"c{number}" for number in range(width)]
        _refuse_names_as_row(file, rows, options)
    else:
        if options.header is None:
            _refuse_values_as_names(file, first, [row for _, row in rows])
        names = options.names or [name.strip() for name in first]
    if options.names and rows and len(options.names) != width:
        raise UserError(
            f"data.names has {len(names)} names, and rows of {file.path} have {width} fields",
            hint="Rows have all of them, in this order; what is not looked at may be empty.",
        )
    names = _extend(file, names, rows, width, begin_quoted=begin_quoted)
    _refuse_repeated(file, [name for name in names if name])
    free = (it for it in map("Unnamed: {}".format, itertools.count()) if it not in names)
    return [name or next(free) for name in names]


def _usual_width(rows: Sequence[Row]) -> int:
    """Return how many fields most rows have; 0 without rows."""
    widths = Counter(len(row) for _, row in rows)
    return widths.most_common(1)[0][0] if widths else 0


def _extend(
    file: TextFile, names: list[str], rows: Sequence[Row], width: int, *, begin_quoted: bool
) -> list[str]:
    """Return names for columns without one: empty ones at the end, and R's names of rows, which are
    in quotes. Without these a text may be divided by separators in it."""
    widest = max((len(row) for _, row in rows), default=len(names))
    while len(names) > widest and not names[-1]:  # of a separator at the end of the header alone
        names = names[:-1]
    more = width - len(names)
    if more > 0 and all(not "".join(row[len(names) :]).strip() for _, row in rows):
        return [*names, *[""] * more]
    if more == 1 and begin_quoted:
        return ["", *names]
    if more > 0:
        raise UserError(
            f"{file.where}: its rows have {width} fields, and its first row has {len(names)} names",
            hint="Name every column in the first row, or in data.names with data.header: true. A "
            f"field that has a separator in it needs quotes. {ABOVE}",
        )
    return names


def _refuse_repeated(file: TextFile, names: Sequence[str]) -> None:
    """Raise UserError for names that several columns have, of which pandas would rename some."""
    repeated = [f"{count} columns '{it}'" for it, count in Counter(names).items() if count > 1]
    if repeated:
        raise UserError(
            f"{file.where} has {first_few(repeated)}",
            hint="Each needs a name of its own, in the first row or in data.names; if the first "
            "row has values: data.header: false.",
        )


def _refuse_values_as_names(
    file: TextFile, first: Sequence[str], rows: Sequence[Sequence[str]]
) -> None:
    """Raise UserError for a first row that is like those below it, or stands there again."""
    cells = [cell.strip() for cell in first]
    stripped = [[cell.strip() for cell in row] for row in rows]
    others = [row for row in stripped if row != cells]
    if _are_values(cells, others or stripped):
        raise UserError(
            f"{file.where}: its first row looks like values, not like names of columns: "
            f"{first_few(map(repr, cells))}",
            hint=_CHOICE,
        )
    if len(others) < len(stripped):
        raise UserError(
            f"{file.where}: its first row, of names of columns, stands there again below",
            hint="Leave it out there.",
        )


def _are_values(cells: Sequence[str], rows: Sequence[Sequence[str]]) -> bool:
    """Return whether a first row of cells is like the rows below it."""
    columns = [[row[place] for row in rows if place < len(row)] for place in range(len(cells))]
    pairs = list(zip(cells, columns, strict=True))
    words = [cell[:1].isalpha() and cell.lower() not in _GAPS for cell in cells]
    if any(
        is_word and column and all(map(is_number, column))
        for is_word, column in zip(words, columns, strict=True)
    ):
        return False  # a name above numbers
    numbers = [
        float(cell)
        for cell, column in pairs
        if is_number(cell) and sum(map(is_number, column)) > len(column) / 2
    ]
    others = [(cell, column) for cell, column in pairs if cell and not is_number(cell)]
    again = [cell for cell, column in others if cell in column]
    return bool(numbers and not _are_counted(numbers)) or len(again) > max(len(others) / 2, 1)


def _refuse_names_as_row(file: TextFile, rows: Sequence[Row], options: CsvFormat) -> None:
    """Raise UserError for a first row of words above columns of numbers."""
    if options.header is not None or len(rows) < 3:
        return
    (_, first), *below = rows
    words = [
        cell
        for place, cell in enumerate(first)
        if cell.strip()
        and not is_number(cell)
        and all(is_number(row[place]) for _, row in below if place < len(row))
    ]
    if words:
        raise UserError(
            f"{file.where}: its first row looks like names of columns: "
            f"{first_few(map(repr, words))}",
            hint="With data.header: true data.names takes their place, with false they are values.",
        )


def _are_counted(numbers: Sequence[float]) -> bool:
    """Return whether numbers follow each other as years or pandas' names of columns do."""
    first = numbers[0]
    counted = [first + step for step in range(len(numbers))]
    return list(numbers) == counted and (first in (0, 1) or 1800 < first < 2200)


def is_number(cell: str) -> bool:
    """Return whether a cell is a plain number."""
    try:
        return cell.isascii() and "_" not in cell and math.isfinite(float(cell))
    except ValueError:
        return False
