"""Options of how CSV text is read, named as pandas names them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Literal

from pydantic import (
    AfterValidator,
    Field,
    NonNegativeInt,
    StringConstraints,
    field_validator,
    model_validator,
)

from hpc_dl.jobspec.base import Spec

_SEPARATORS = {r"\t": "\t", "tab": "\t", r"\s+": "whitespace"}
"""Spellings of separators that a shell or pandas asks for."""

CATEGORIES: Any = Field(
    [],
    description="columns of words that look like numbers, such as bands of age (30-39), codes and "
    "versions, which are read as they stand there: a column for each word, without an order",
)
"""An option of all tables; of CSV it also says how a file is read."""


def _all_different(names: list[str]) -> list[str]:
    for name in names:
        if names.count(name) > 1:
            raise ValueError(f"'{name}' is there several times")
    return names


ColumnNames = Annotated[list[str], AfterValidator(_all_different)]


class CsvFormat(Spec):
    """How a CSV file is read; what is unset is taken from the file where that is certain."""

    sep: str | None = Field(
        None, description="what separates columns: a character, or `whitespace` for any blanks"
    )
    decimal: Literal[".", ","] | None = Field(None, description="the decimal sign of numbers")
    thousands: Annotated[str, StringConstraints(min_length=1, max_length=1)] | None = Field(
        None, description="the sign between thousands"
    )
    encoding: str | None = Field(
        None, description="such as `latin-1` or `cp1252`; if unset, UTF-8, or what its mark tells"
    )
    header: bool | None = Field(
        None,
        description="whether the first row names the columns; if false they are `c0`, `c1`, ...",
    )
    names: ColumnNames | None = Field(
        None,
        description="names for all columns, of a file that has none; with `header: true` they take "
        "the place of its own",
    )
    skiprows: NonNegativeInt = Field(0, description="lines to leave out above the table")
    comment: Annotated[str, StringConstraints(min_length=1, max_length=1)] | None = Field(
        None, description="a sign from which on the rest of a line is left out"
    )
    na_values: list[str | int | float] = Field(
        [], description="words and numbers that are gaps, beside those of pandas"
    )
    keep_default_na: bool = Field(
        True,
        description="whether pandas' words, like NA, None and null, are gaps as empty fields are",
    )
    categories: list[str] = CATEGORIES

    @property
    def of_csv(self) -> dict[str, Any]:
        """Return the options that are set, of those that say how a CSV file is read."""
        return self.model_dump(include=set(CsvFormat.model_fields), exclude_defaults=True)

    @classmethod
    def of_training(cls, options: Mapping[str, Any]) -> CsvFormat:
        """Return the format of other files like the one that was read by these options, which has
        shown whether there is a header."""
        return cls.model_validate({"header": "names" not in options, **options})

    @field_validator("sep")
    @classmethod
    def _one_character(cls, sep: str | None) -> str | None:
        sep = _SEPARATORS.get(sep or "", sep)
        if sep is not None and sep != "whitespace" and (len(sep) != 1 or sep in '"\r\n'):
            raise ValueError("one character separates columns, or `whitespace`")
        return sep

    @field_validator("encoding")
    @classmethod
    def _known(cls, encoding: str | None) -> str | None:
        try:
            b"a".decode(encoding or "utf-8", errors="replace")
        except (LookupError, ValueError):  # as of idna, which is no encoding of files
            raise ValueError(f"there is no encoding {encoding!r}; latin-1 is one") from None
        return encoding

    @model_validator(mode="after")
    def _signs_differ(self) -> CsvFormat:
        signs = {"sep": self.sep, "decimal": self.decimal, "thousands": self.thousands}
        if self.comment and self.comment in signs.values():
            raise ValueError(f"{self.comment!r} begins remarks, and is no other sign")
        if self.decimal and self.decimal == self.thousands:
            raise ValueError(f"{self.decimal!r} cannot be the decimal sign and between thousands")
        return self
