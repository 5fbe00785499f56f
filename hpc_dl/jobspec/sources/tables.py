"""Options of tables in files."""

from __future__ import annotations

from typing import ClassVar, Literal

from pydantic import Field

from hpc_dl.jobspec.data import Data, Fraction
from hpc_dl.jobspec.model import Modality, Task
from hpc_dl.jobspec.sources.csv_format import CsvFormat


class Table(Data):
    """Options of tables: a row is an example."""

    modalities: ClassVar[tuple[Modality, ...]] = ("table",)
    tasks: ClassVar[tuple[Task, ...]] = ("classify", "regress")
    paths: ClassVar[tuple[str, ...]] = ("path", "validation_path", "test_path")

    name: str
    path: str = Field(description="the file; its first row names the columns")
    target: str | list[str] = Field(description="the column to predict, or several for regression")
    task: Literal["classify", "regress"] = Field(
        "classify", description="whether to predict a class or a number"
    )
    drop: list[str] = Field([], description="columns to leave out")
    groups: str | None = Field(
        None,
        description="a column, like one of patients: rows with the same value are kept in the same "
        "split; it is no input",
    )
    validation_path: str | None = Field(
        None, description="a file of rows for the validation, if any"
    )
    test_path: str | None = Field(None, description="a file of rows for the final test, if any")
    test: Fraction = Field(0.1, description="share of the rows for the test, without such a file")


class Csv(CsvFormat, Table):
    """A user's own table, in CSV: numbers, and words, each of which becomes a column."""

    name: Literal["csv"]


class Parquet(Table):
    """A user's own table, in Parquet: numbers, and words, each of which becomes a column."""

    name: Literal["parquet"]
