"""Options of MIDI files."""

from __future__ import annotations

from typing import ClassVar, Literal

from pydantic import Field, PositiveInt

from hpc_dl.jobspec.data import Fraction
from hpc_dl.jobspec.music import MusicData


class Midi(MusicData):
    """A folder of MIDI files, a piece each, in any folders below it, also by split in `train`,
    `validation` and `test`; needs the extra `music`."""

    paths: ClassVar[tuple[str, ...]] = ("path",)

    name: Literal["midi"]
    path: str = Field(description="the folder of `.mid` and `.midi` files")
    frames_per_quarter: PositiveInt = Field(4, description="frames of a quarter note")
    test: Fraction = Field(
        0.1, description="share of the pieces for the final test where there is no such folder"
    )
