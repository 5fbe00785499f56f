"""Options of time series."""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal, Self

from pydantic import Field, PositiveInt, field_validator, model_validator

from hpc_dl.jobspec.csv_format import ColumnNames, CsvFormat
from hpc_dl.jobspec.data import ConsecutiveData, Fraction
from hpc_dl.jobspec.facts import Modality, Task


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
    quantiles: list[Fraction] = Field(
        [0.1, 0.5, 0.9],
        description="what is forecast of each step, in increasing order: the median, 0.5, which is "
        "the forecast, and the ends of bands around it; the outermost two are the band that is "
        "drawn, and whose coverage is measured",
    )
    validation: Fraction = Field(0.1, description="share of the steps, the part before the test")
    test: Fraction = Field(0.2, description="share of the steps for the final test, the last part")

    @field_validator("quantiles")
    @classmethod
    def _increase_and_have_the_median(cls, quantiles: list[float]) -> list[float]:
        if quantiles != sorted(set(quantiles)):
            raise ValueError("quantiles have to increase, like [0.05, 0.5, 0.95]")
        if 0.5 not in quantiles:
            raise ValueError("the median, 0.5, is missing, which is the forecast")
        return quantiles

    @model_validator(mode="after")
    def _window_has_a_season(self) -> Self:
        if self.season > self.window:
            raise ValueError(
                f"a window of {self.window} steps holds no season of {self.season}, which the "
                "seasonal-naive forecast repeats"
            )
        return self
