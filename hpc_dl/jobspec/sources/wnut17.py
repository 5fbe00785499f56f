"""Options of WNUT-2017."""

from __future__ import annotations

from typing import ClassVar, Literal

from hpc_dl.jobspec.data import StagedData
from hpc_dl.jobspec.tagged import Tagged


class Wnut17(StagedData, Tagged):
    """WNUT-2017: 3 394 + 1 009 + 1 287 posts with emerging entities of 6 types."""

    licence: ClassVar[str] = "CC-BY-4.0"
    drawn: ClassVar[tuple[str, ...]] = ()

    name: Literal["wnut17"]
