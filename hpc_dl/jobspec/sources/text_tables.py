"""Options of tables of texts."""

from __future__ import annotations

from typing import ClassVar, Literal

from pydantic import Field

from hpc_dl.jobspec.csv_format import CsvFormat
from hpc_dl.jobspec.sources.tables import TableFiles
from hpc_dl.jobspec.texts import ClassifiedTexts


class TextTable(TableFiles, ClassifiedTexts):
    """Options of tables with a column of texts and one of their classes."""

    paths: ClassVar[tuple[str, ...]] = TableFiles.paths

    name: str
    text: str = Field("text", description="the column of the texts")
    target: str = Field("label", description="the column of the classes; others are not read")
    missing: Literal["refuse", "drop"] = Field(
        "refuse",
        description="whether rows without a text or a class are refused, or left out",
    )


class TextCsv(CsvFormat, TextTable):
    """A user's own texts in a column of a CSV file, and their classes in another."""

    name: Literal["text_csv"]


class TextParquet(TextTable):
    """A user's own texts in a column of a Parquet file, and their classes in another."""

    name: Literal["text_parquet"]
