"""CSV files of several dialects: the separator, the decimal comma and the thousands separator are
taken from the file where it admits one reading alone.
"""

from __future__ import annotations

import csv
import re
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hpc_dl.data.tables.columns import is_text
from hpc_dl.data.tables.row_numbers import is_nameless
from hpc_dl.errors import UserError

if TYPE_CHECKING:
    from pandas import DataFrame

Read = tuple["DataFrame", list[str]]
"""A table, and notes on how it was read."""

SEPARATORS = {",": "commas", ";": "semicolons", "\t": "tabs", "|": "'|'"}
SAMPLE = 200
"""Number of lines from which the separator is found."""

_DECIMAL_COMMA = re.compile(r"[+-]?(\d+|\d{1,3}(\.\d{3})+)(,\d+)?([eE][+-]?\d+)?")
_THOUSANDS = re.compile(r"[+-]?[1-9]\d{0,2}(\.\d{3})+")
_DECIMAL_POINT = re.compile(r"[+-]?\d{1,3}(,\d{3})*(\.\d+)?")


def read(file: Path) -> Read:
    """Read a CSV file. Raises UserError for one that can be read in two ways."""
    import pandas

    lines = _lines(file)
    separator = _separator(lines, file)
    _refuse_repeated(next(csv.reader(lines, delimiter=separator)), file)
    options: dict[str, Any] = {
        "sep": separator,
        "skipinitialspace": True,
        "encoding": "utf-8-sig",
        "low_memory": False,  # or each part of a long file would have types of its own
    }
    frame = pandas.read_csv(file, **options)
    comma = _is_decimal_comma(frame, file)
    if comma and separator != ",":
        frame = pandas.read_csv(file, decimal=",", **options)
    elif separator == ";":
        _refuse_unclear_points(file, frame, options)
    if not isinstance(frame.index, pandas.RangeIndex):
        raise UserError(
            f"{file}: its rows have more fields than its first row has names",
            hint="Name every column, and let no row end with a separator.",
        )
    _refuse_short_rows(file, frame, separator)
    return frame, [*_notes(separator, frame, comma=comma), *_convert_numbers(frame, comma=comma)]


def _notes(separator: str, frame: DataFrame, *, comma: bool) -> list[str]:
    """Note a separator other than the comma, and the decimal sign."""
    notes = [] if separator == "," else [f"columns are separated by {SEPARATORS[separator]}"]
    if comma:
        notes.append("numbers have a decimal comma")
    elif separator == ";" and _has_fractions(frame):
        notes.append("numbers have a decimal point")
    return notes


def _lines(file: Path, most: int | None = SAMPLE) -> list[str]:
    """Read the first lines, or all, by pandas, which reads compressed files, too."""
    import pandas

    lines = pandas.read_csv(
        file,
        sep="\x1f",  # which no text has
        header=None,
        nrows=most,
        dtype=str,
        quoting=csv.QUOTE_NONE,
        keep_default_na=False,
        encoding="utf-8-sig",
    )
    return [str(line) for line in lines[0]]


def _separator(lines: Sequence[str], file: Path) -> str:
    """Return the sign that divides all lines into as many fields."""
    found = [it for it in SEPARATORS if len(next(csv.reader(lines, delimiter=it))) > 1]
    if len(found) > 1:
        # The last row may be cut off in the middle of a quotation.
        rows = {it: list(csv.reader(lines, delimiter=it))[: max(len(lines) - 1, 2)] for it in found}
        even = [it for it in found if len({len(row) for row in rows[it]}) == 1]
        found = even or found
    if len(found) != 1:
        which = " or ".join(SEPARATORS[it] for it in found) or "no known separator"
        raise UserError(
            f"{file}: the columns are separated by {which}",
            hint="Separate them by commas, semicolons, tabs or '|', and quote names with these.",
        )
    return found[0]


def _refuse_repeated(names: Sequence[str], file: Path) -> None:
    """Raise UserError for a name that two columns have, of which pandas would rename one."""
    names = [name.strip() for name in names]
    for name in names:
        if name and names.count(name) > 1:
            raise UserError(
                f"{file} has {names.count(name)} columns '{name}'",
                hint="Its first row has to name the columns, each with a name of its own.",
            )


def _refuse_short_rows(file: Path, frame: DataFrame, separator: str) -> None:
    """Raise UserError for the first row with too few fields, which pandas would read as gaps."""
    if not frame.iloc[:, -1].isna().any() or is_nameless(str(frame.columns[-1])):
        return
    rows = csv.reader(_lines(file, None), delimiter=separator, skipinitialspace=True)
    for number, row in enumerate(rows):
        if len(row) < len(frame.columns):
            raise UserError(
                f"{file}: row {number} after the header has {len(row)} of "
                f"{len(frame.columns)} fields",
                hint="A gap is an empty field between two separators.",
            )


def _refuse_unclear_points(file: Path, frame: DataFrame, options: dict[str, Any]) -> None:
    """Raise UserError where all points may be decimal ones, or stand between thousands."""
    import pandas

    floats = [place for place, type_ in enumerate(frame.dtypes) if type_.kind == "f"]
    table = pandas.read_csv(file, usecols=floats, dtype=str, **options)
    words = [(name, it.strip()) for name in table for it in table[name].dropna().unique()]
    pointed = [(name, word) for name, word in words if "." in word]
    if pointed and all(_THOUSANDS.fullmatch(word) for _, word in pointed):
        name = pointed[0][0]
        shown = ", ".join([repr(word) for it, word in pointed if it == name][:3])
        raise UserError(
            f"{file}: column '{name}' can be read with decimal points, and with "
            f"thousands separators: {shown}",
            hint="Write the numbers without separators, or separate columns by commas.",
        )


def _is_decimal_comma(frame: DataFrame, file: Path) -> bool:
    """Return whether numbers have a decimal comma. Raises UserError where that is not clear."""
    readings = {name: _readings(words) for name, words in _with_commas(frame)}
    clear = {readings[name][0] for name in readings if len(readings[name]) == 1}
    unclear = [name for name in readings if len(readings[name]) == 2]
    if not clear and unclear and not _has_fractions(frame):
        name = unclear[0]
        shown = ", ".join(repr(word) for word in dict(_with_commas(frame))[name][:3])
        raise UserError(
            f"{file}: column '{name}' can be read with decimal commas, and with "
            f"thousands separators: {shown}",
            hint="Write the numbers without separators, and with a decimal point.",
        )
    if len(clear) == 2:
        both = ", ".join(f"'{name}'" for name in readings)
        raise UserError(
            f"{file}: a comma is for decimals in one column, and for thousands in another: {both}",
            hint="Write the numbers without separators, and with a decimal point.",
        )
    return clear == {","}


def _with_commas(frame: DataFrame) -> Iterable[tuple[Any, list[str]]]:
    """Yield the columns of numbers with commas, and their different words."""
    for name in frame.columns:
        if is_text(frame[name]):
            words = [str(word).strip() for word in frame[name].dropna().unique()]
            if any("," in word for word in words) and _readings(words):
                yield name, words


def _readings(words: Sequence[str]) -> list[str]:
    """Return the decimal separators that all words can be read with."""
    forms = {",": _DECIMAL_COMMA, ".": _DECIMAL_POINT}
    return [sign for sign, form in forms.items() if all(map(form.fullmatch, words))]


def _has_fractions(frame: DataFrame) -> bool:
    """Return whether numbers with a decimal point have been read."""
    floats = frame.select_dtypes("float")
    return bool(((floats % 1).fillna(0) != 0).any().any())


def _convert_numbers(frame: DataFrame, *, comma: bool) -> list[str]:
    """Convert columns of formatted numbers in place, and return notes."""
    import pandas

    form, mark, thousands = (_DECIMAL_COMMA, ",", ".") if comma else (_DECIMAL_POINT, ".", ",")
    notes = []
    for name in [it for it in frame.columns if is_text(frame[it])]:
        words = frame[name].dropna().astype(str).str.strip()
        if len(words) and all(map(form.fullmatch, words.unique())):
            plain = words.str.replace(thousands, "", regex=False)
            plain = plain.str.replace(mark, ".", regex=False)
            frame[name] = pandas.to_numeric(plain).reindex(frame.index)
            if words.str.contains(thousands, regex=False).any():
                notes.append(f"'{thousands}' stands between thousands in column '{name}'")
    return notes
