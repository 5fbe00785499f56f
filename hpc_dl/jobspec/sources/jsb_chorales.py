"""Options of the chorales of J. S. Bach."""

from __future__ import annotations

from typing import ClassVar, Literal

from pydantic import Field

from hpc_dl.jobspec.data import StagedData
from hpc_dl.jobspec.music import MusicData


class JSBChorales(StagedData, MusicData):
    """382 chorales of J. S. Bach in the usual splits: the pitches of four voices."""

    drawn: ClassVar[tuple[str, ...]] = ()

    name: Literal["jsb_chorales"]
    resolution: Literal["quarter", "16th"] = Field(
        "quarter", description="length of a frame, as a note"
    )
