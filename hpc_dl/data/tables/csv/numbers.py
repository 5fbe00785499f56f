"""Decimal and thousands signs of numbers in CSV files, where one reading alone is possible."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import TYPE_CHECKING, Literal

from hpc_dl.data.tables.csv.dialect import Dialect
from hpc_dl.data.tables.csv.text_files import TextFile
from hpc_dl.errors import UserError, first_few
from hpc_dl.jobspec.csv_format import CsvFormat

if TYPE_CHECKING:
    from pandas import DataFrame

Decimal = Literal[".", ","]
_SIGNS: tuple[Decimal, ...] = (",", ".")

_MARKS = "'\u2019\u00a0\u2009\u202f"
"""Signs between thousands that separate nothing else: apostrophes, and blanks that do not break."""
_TIMES_TEN = r"([eE][+-]?\d+)?"
_THOUSANDS = re.compile(r"[+-]?[1-9]\d{0,2}(\.\d{3})+")
"""A number with a point, or points, that may stand between thousands."""
_HINT = "data.decimal says which: '.' or ','."


def _form(decimal: str, thousands: str | None = None) -> re.Pattern[str]:
    """Return the form of numbers: their thousands are groups of three, unless the user says by
    which sign they are divided."""
    other = {",": ".", ".": ","}[decimal]
    if thousands:
        whole = rf"\d[\d{re.escape(thousands)}]*|"
    else:
        whole = rf"\d+|[1-9]\d{{0,2}}([{other}{_MARKS}]\d{{3}})+|"
    fraction = rf"({re.escape(decimal)}\d*)?"
    return re.compile(rf"[+-]?(?=.?\d)({whole}){fraction}{_TIMES_TEN}", re.ASCII)


def find_decimal(
    file: TextFile, frame: DataFrame, dialect: Dialect, options: CsvFormat
) -> Decimal | None:
    """Return the decimal sign of a file as it was read with points; None where points are not
    certain to be that. Raises UserError where two readings are possible."""
    if options.decimal or options.thousands in (".", ","):
        return options.decimal or ("," if options.thousands == "." else ".")
    readings = dict(_readings_of_commas(frame, options.thousands))
    clear = {signs[0] for signs in readings.values() if len(signs) == 1}
    unclear = [name for name, signs in readings.items() if len(signs) == 2]
    if len(clear) == 2:
        raise UserError(
            f"{file.where}: a comma is for decimals in one column, and for thousands in another: "
            f"{first_few(map(repr, readings))}",
            hint=f"{_HINT} Or write all numbers alike.",
        )
    if clear == {","}:
        return ","
    if not clear and unclear and not _has_fractions(frame):
        raise UserError(
            f"{file.where}: column '{unclear[0]}' can be read with decimal commas, and with "
            f"thousands separators: {_some(frame, unclear[0])}",
            hint=_HINT,
        )
    return None if dialect.sep == ";" and _has_points_between_thousands(dialect) else "."


def refuse_unclear_points(file: TextFile, texts: DataFrame) -> None:
    """Raise UserError where all points may be decimal ones, or stand between thousands."""
    pointed: dict[str, list[str]] = {}
    for name in texts:
        words = [word.strip() for word in texts[name].dropna().unique()]
        pointed[name] = [word for word in words if "." in word]
    every = [(name, word) for name, words in pointed.items() for word in words]
    if every and all(_THOUSANDS.fullmatch(word) for _, word in every):
        name = every[0][0]
        raise UserError(
            f"{file.where}: column '{name}' can be read with decimal points, and with thousands "
            f"separators: {', '.join(map(repr, pointed[name][:3]))}",
            hint=_HINT,
        )


def convert_numbers(frame: DataFrame, decimal: Decimal, options: CsvFormat) -> list[str]:
    """Convert columns of formatted numbers in place, but for categories, and return notes."""
    import pandas

    form = _form(decimal, options.thousands)
    signs = options.thousands or {",": ".", ".": ","}[decimal] + _MARKS
    notes = []
    for name in text_columns(frame):
        words = frame[name].dropna().astype(str).str.strip()
        is_category = name.strip() in options.categories
        if is_category or not len(words) or not all(map(form.fullmatch, words.unique())):
            continue
        plain = words.str.replace(f"[{re.escape(signs)}]", "", regex=True)
        plain = plain.str.replace(decimal, ".", regex=False)
        frame[name] = pandas.to_numeric(plain).reindex(frame.index)
        notes += [
            f"{sign!r} stands between thousands in column '{name}'"
            for sign in signs
            if words.str.contains(sign, regex=False).any()
        ]
    return notes


def text_columns(frame: DataFrame) -> list[str]:
    """Return the names of the columns that are read as text."""
    return [str(name) for name, type_ in frame.dtypes.items() if type_.kind == "O"]


def note_decimal(decimal: Decimal, dialect: Dialect, frame: DataFrame) -> list[str]:
    """Note a decimal sign that a reader of the file may not expect."""
    if decimal == ",":
        return ["numbers have a decimal comma"]
    expected = dialect.sep != ";" or not _has_fractions(frame)
    return [] if expected else ["numbers have a decimal point"]


def _readings_of_commas(
    frame: DataFrame, thousands: str | None
) -> Iterator[tuple[str, list[Decimal]]]:
    """Yield the columns of numbers with commas, and the decimal signs that all can be read with."""
    forms = {sign: _form(sign, thousands) for sign in _SIGNS}
    for name in text_columns(frame):
        words = [str(word).strip() for word in frame[name].dropna().unique()]
        signs = [sign for sign in _SIGNS if all(map(forms[sign].fullmatch, words))]
        if signs and any("," in word for word in words):
            yield name, signs


def _some(frame: DataFrame, name: str) -> str:
    return ", ".join(repr(str(word).strip()) for word in frame[name].dropna().unique()[:3])


def _has_points_between_thousands(dialect: Dialect) -> bool:
    """Return whether the first rows leave open what a point is for: all may be for thousands."""
    cells = [cell.strip() for _, row in dialect.rows for cell in row]
    return not any(
        re.fullmatch(_form("."), it) and "." in it and not _THOUSANDS.fullmatch(it) for it in cells
    )


def _has_fractions(frame: DataFrame) -> bool:
    """Return whether numbers with a decimal point have been read."""
    floats = frame.select_dtypes("float")
    return bool(((floats % 1).fillna(0) != 0).any().any())
