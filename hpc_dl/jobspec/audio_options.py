"""Options that all sources of recordings share."""

from __future__ import annotations

from typing import ClassVar

from pydantic import Field, PositiveFloat, PositiveInt

from hpc_dl.jobspec.data import RaggedData, StreamedData
from hpc_dl.jobspec.facts import Modality


class Recordings(RaggedData, StreamedData):
    """Options of recordings in files."""

    modalities: ClassVar[tuple[Modality, ...]] = ("audio",)

    name: str
    sample_rate: PositiveInt | None = Field(
        None,
        description="samples a second to resample all recordings to; if unset, all have to be of "
        "one rate, and are not resampled",
    )
    mix: bool = Field(
        False,
        description="mix the channels of each recording into one; otherwise several are refused",
    )
    longest: PositiveFloat | None = Field(
        None,
        description="seconds of each recording that are kept, from its beginning; all if unset",
    )
