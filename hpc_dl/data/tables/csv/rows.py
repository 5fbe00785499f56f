"""Rows of CSV text as lists of fields, with the lines that they begin in."""

from __future__ import annotations

import csv
import re
from collections.abc import Iterable, Iterator

WHITESPACE = "whitespace"
"""The separator that is any number of blanks and tabs."""

LONGEST = 2**24
"""Most characters of a line or a field, such as a text."""
csv.field_size_limit(LONGEST)

_FIELD = re.compile(r'"(?:[^"]|"")*"|\S+')
Row = tuple[int, list[str]]
"""The number of a line, from 1, and the fields of the row that begins there."""


def split(lines: Iterable[str], sep: str, comment: str | None, before: int = 0) -> Iterator[Row]:
    """Yield the rows that are not blank, as pandas sees them. `before` counts the lines that come
    before these. Raises csv.Error for a quotation that has no end."""
    if comment:
        lines = (_without_comment(line, comment) for line in lines)
    if sep == WHITESPACE:
        lines = (" ".join(_FIELD.findall(line)) for line in lines)
    blank = " " if sep == WHITESPACE else sep
    reader = csv.reader(lines, delimiter=blank, skipinitialspace=True, strict=False)
    first = before + 1
    for row in reader:
        if len(row) > 1 or (row and row[0].strip()):
            yield first, row
        first = before + reader.line_num + 1


def _without_comment(line: str, comment: str) -> str:
    """Return a line up to a comment that is not in quotes."""
    if comment not in line:
        return line
    sign = re.escape(comment)
    found = re.match(rf'(?:[^"{sign}]|"[^"]*")*', line)
    return found.group() if found else ""
