"""Options of the Free Spoken Digit Dataset."""

from __future__ import annotations

from typing import ClassVar, Literal

from hpc_dl.jobspec.audio_options import Recordings
from hpc_dl.jobspec.data import StagedData


class FSDD(StagedData, Recordings):
    """Free Spoken Digit Dataset: 3 000 recordings of digits by six speakers, 8 kHz."""

    licence: ClassVar[str] = "CC-BY-SA-4.0"
    drawn: ClassVar[tuple[str, ...]] = ("validation",)

    name: Literal["fsdd"]
