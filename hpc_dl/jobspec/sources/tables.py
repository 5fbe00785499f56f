"""Options of tables in files."""

from __future__ import annotations

from typing import ClassVar, Literal

from pydantic import Field

from hpc_dl.jobspec.csv_format import CATEGORIES, CsvFormat
from hpc_dl.jobspec.data import Data, Fraction
from hpc_dl.jobspec.facts import Modality, Task


class TableFiles(Data):
    """Options of files of rows, each of which is an example."""

    paths: ClassVar[tuple[str, ...]] = ("path", "validation_path", "test_path")

    name: str
    path: str = Field(description="the file; its first row names the columns")
    index: str | None = Field(
        None,
        description="a column that names the rows, in messages and in the table of predictions; it "
        "is no input, and each row has a name of its own",
    )
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


class Table(TableFiles):
    """Options of tables: a row is an example."""

    modalities: ClassVar[tuple[Modality, ...]] = ("table",)
    tasks: ClassVar[tuple[Task, ...]] = ("classify", "regress")

    name: str
    target: str | list[str] = Field(description="the column to predict, or several for regression")
    task: Literal["classify", "regress"] = Field(
        "classify", description="whether to predict a class or a number"
    )
    drop: list[str] = Field([], description="columns to leave out")
    dates: list[str] | dict[str, str] = Field(
        [],
        description="columns of dates, which become days since 1970-01-01 in UTC; where the format "
        'is not clear, with it: {born: "%d.%m.%Y"}',
    )
    categories: list[str] = CATEGORIES
    missing: Literal["indicator", "refuse", "drop", "mean", "median", "category"] = Field(
        "indicator",
        description="what becomes of gaps. `indicator`: a column with gaps has another beside it "
        "that says what is missing, and a number that is missing counts as the mean. `mean`, "
        "`median`: numbers are filled in, as the training rows have it; of words they are a "
        "category of their own. `category`: of words a category, and refused in numbers. `drop`: "
        "rows with a gap, in the target, too, are left out. `refuse`: none may be there",
    )

    @property
    def targets(self) -> list[str]:
        """The columns to predict."""
        return [self.target] if isinstance(self.target, str) else list(self.target)

    @property
    def formats(self) -> dict[str, str]:
        """The columns of dates, and their formats; empty where none is given."""
        return self.dates if isinstance(self.dates, dict) else dict.fromkeys(self.dates, "")


class Csv(CsvFormat, Table):
    """A user's own table, in CSV: numbers, and words, each of which becomes a column."""

    name: Literal["csv"]


class Parquet(Table):
    """A user's own table, in Parquet: numbers, and words, each of which becomes a column."""

    name: Literal["parquet"]
