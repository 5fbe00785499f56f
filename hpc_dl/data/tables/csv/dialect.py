"""Dialect of a CSV file: its separator, the lines above its rows, and the names of its columns.

Found in its first lines where they admit one reading alone; else refused, with the option that
decides.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Sequence
from dataclasses import dataclass

from hpc_dl.data.faults import reading
from hpc_dl.data.tables.csv.header import ABOVE, find_names, is_number
from hpc_dl.data.tables.csv.rows import LONGEST, WHITESPACE, Row, split
from hpc_dl.data.tables.csv.text_files import TextFile
from hpc_dl.data.tables.places import show_value
from hpc_dl.errors import UserError
from hpc_dl.jobspec.csv_format import CsvFormat

SEPARATORS = {",": "commas", ";": "semicolons", "\t": "tabs", "|": "'|'", WHITESPACE: "blanks"}
SAMPLE = 1000
"""Most lines from which the dialect is found, """
ENOUGH = 2**20
"""and characters, of which the last line may have more."""

_EXCEL = re.compile(r'"?sep=(.)"?\s*', re.IGNORECASE)
"""A first line that tells Excel the separator."""
_ONE_FIELD = re.compile(r'"?[\w.+-]+( [\w.+-]+)*"?\s*|\s*')
"""A line of one number or name."""
_REMARKS = ("#", "%")
"""Signs that begin remarks above a table."""


@dataclass(frozen=True)
class Dialect:
    """How the rows of a file are read."""

    sep: str
    skip: int
    """Lines above the first row of values."""
    after: str
    """What rows count from in messages: ` after the header`, if there is one."""
    names: tuple[str, ...]
    """Of all columns; those without one are called as pandas calls them."""
    rows: tuple[Row, ...]
    """The first rows of values."""
    notes: tuple[str, ...]


def find_dialect(file: TextFile, options: CsvFormat) -> Dialect:
    """Find the dialect of a file. Raises UserError where there are several, or none."""
    lines, is_cut = _first_lines(file)
    skip, sep = options.skiprows, options.sep
    if skip < len(lines) and (excel := _EXCEL.fullmatch(lines[skip])):
        sep, skip = sep or excel[1], skip + 1
    remarks = [] if options.comment else _remarks(lines[skip:])
    with reading(file.key, file.path, "csv"):
        sep, rows, remarks = _find_rows(file, lines, skip, remarks, sep, options.comment)
    if not rows:
        raise UserError(f"{file.where} has no rows")
    if is_cut and len(rows) > 2:
        rows.pop()  # which may be cut off in the middle of a quotation
    has_header = options.names is None if options.header is None else options.header
    first, below = (rows[0][1], rows[1:]) if has_header else (None, rows)
    begin_quoted = all(lines[line - 1].lstrip().startswith('"') for line, _ in below)
    names = find_names(file, first, below, options, begin_quoted=begin_quoted)
    skip = below[0][0] - 1 if below else len(lines)
    after = " after the header" if has_header else ""
    return Dialect(sep, skip, after, tuple(names), tuple(below), tuple(_notes(sep, remarks)))


def _first_lines(file: TextFile) -> tuple[list[str], bool]:
    """Return the lines from which the dialect is found, and whether there are more."""
    lines: list[str] = []
    size = 0
    with reading(file.key, file.path, "csv"), file.open() as text:
        while line := text.readline(LONGEST):
            if len(lines) == SAMPLE or (size > ENOUGH and len(lines) > 2):
                return lines, True
            lines.append(line)
            size += len(line)
    return lines, False


def _find_rows(
    file: TextFile,
    lines: Sequence[str],
    skip: int,
    remarks: list[str],
    sep: str | None,
    comment: str | None,
) -> tuple[str, list[Row], list[str]]:
    """Return the separator, the first rows, and the remarks above them."""
    start = skip + len(remarks)
    asked, sep = sep, sep or _find_separator(file, lines[start:], comment)
    rows = list(split(lines[start:], sep, comment, start))
    if rows and asked and all(len(row) == 1 for _, row in rows) and not _is_column(lines[start:]):
        raise UserError(
            f"{file.where}: no row has the separator {sep!r}",
            hint=f"Its first row is {show_value(rows[0][1][0])}.",
        )
    # A last remark that has as many fields as the rows names their columns.
    named = list(split(remarks[-1:], sep, None, start - 1))
    if named and rows and len(named[0][1]) == len(rows[0][1]) > 1:
        return sep, named + rows, remarks[:-1]
    return sep, rows, remarks


def _remarks(lines: Sequence[str]) -> list[str]:
    """Return the lines at the top that are blank, or begin like a remark."""
    return list(
        itertools.takewhile(lambda it: not it.strip() or it.lstrip().startswith(_REMARKS), lines)
    )


def _find_separator(file: TextFile, lines: Sequence[str], comment: str | None) -> str:
    """Return the sign that divides all lines into as many fields."""
    rows = {sep: [row for _, row in split(lines, sep, comment)] for sep in SEPARATORS}
    if not rows[WHITESPACE]:
        raise UserError(f"{file.where} has no rows")
    found = [sep for sep in SEPARATORS if sep != WHITESPACE and len(rows[sep][0]) > 1]
    if not found and _is_even(rows[WHITESPACE], most=1):
        found = [WHITESPACE]
    if len(found) > 1:
        found = [sep for sep in found if _is_even(rows[sep])] or found
    if len(found) == 1 and any(map(_is_of_numbers, rows[found[0]][-1])):
        found.append(WHITESPACE)
    if not found and _is_column(lines):
        return ","
    if len(found) != 1:
        which = " or ".join(SEPARATORS[sep] for sep in found) or "no known separator"
        raise UserError(
            f"{file.where}: the columns are separated by {which}",
            hint="data.sep says by which, such as ';'. Names with such signs have to be in quotes. "
            + ABOVE,
        )
    return found[0]


def _is_column(lines: Sequence[str]) -> bool:
    """Return whether no line has a sign that may separate columns, or all those below a single name
    have them within quotes alone: texts have any other sign."""
    if all(map(_ONE_FIELD.fullmatch, lines)):
        return True
    signs = [sep for sep in SEPARATORS if sep != WHITESPACE]
    rows = [row for sep in signs for _, row in split(lines, sep, None)]
    return bool(_ONE_FIELD.fullmatch(lines[0])) and all(len(row) == 1 for row in rows)


def _is_of_numbers(field: str) -> bool:
    """Return whether a field has several numbers, and is not one with blanks between thousands."""
    parts = field.split()
    is_one = all(len(part.split(",")[0].split(".")[0]) == 3 for part in parts[1:])
    return len(parts) > 1 and not is_one and all(map(is_number, parts))


def _is_even(rows: Sequence[Sequence[str]], most: int = 0) -> bool:
    """Return whether all rows have as many fields, of several; `most` may be added to the first, as
    names of rows are. The last row may be cut off in the middle of a quotation."""
    widths = {len(row) for row in rows[1 : max(len(rows) - 1, 2)]} or {len(rows[0])}
    return len(widths) == 1 and 0 <= min(widths) - len(rows[0]) <= most and min(widths) > 1


def _notes(sep: str, remarks: Sequence[str]) -> list[str]:
    """Note a separator other than the comma, and remarks that are left out."""
    notes = [] if sep == "," else [f"columns are separated by {SEPARATORS.get(sep, repr(sep))}"]
    if count := sum(bool(line.strip()) for line in remarks):
        notes.append(f"remarks above the table are left out: {count} lines")
    return notes
