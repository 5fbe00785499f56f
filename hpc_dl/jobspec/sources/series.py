"""Options of time series."""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal, Self

from pydantic import Field, PositiveInt, model_validator

from hpc_dl.jobspec.csv_format import ColumnNames, CsvFormat
from hpc_dl.jobspec.data import ConsecutiveData, Fraction
from hpc_dl.jobspec.model import Modality, Task


class Series(CsvFormat, ConsecutiveData):
    """Time series in a CSV file, of which the next values are forecast; an EEG is shipped."""

    modalities: ClassVar[tuple[Modality, ...]] = ("sequence",)
    tasks: ClassVar[tuple[Task, ...]] = ("forecast",)
    paths: ClassVar[tuple[str, ...]] = ("path",)

    name: Literal["series"]
    path: str | None = Field(
        None,
        description="the file, whose first row names the columns and whose rows follow each other "
        "in time; the EEG in matplotlib's sample data if unset",
    )
    time: str | None = Field(
        None,
        description="the column of times, which have to be at equal steps, also of the calendar; "
        "not checked if unset",
    )
    columns: Annotated[ColumnNames, Field(min_length=1)] | None = Field(
        None, description="the series; all columns but that of times if unset"
    )
    window: PositiveInt = Field(32, description="steps that a network sees before it forecasts")
    horizon: PositiveInt = Field(8, description="steps that are forecast")
    season: PositiveInt = Field(
        8,
        description="steps of a season, as 24 of hours: the seasonal-naive forecast repeats the "
        "last one",
    )
    validation: Fraction = Field(0.1, description="share of the steps, the part before the test")
    test: Fraction = Field(0.2, description="share of the steps for the final test, the last part")

    @model_validator(mode="after")
    def _window_has_a_season(self) -> Self:
        if self.season > self.window:
            raise ValueError(
                f"a window of {self.window} steps holds no season of {self.season}, which the "
                "seasonal-naive forecast repeats"
            )
        return self
