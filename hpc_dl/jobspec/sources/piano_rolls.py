"""Options of piano rolls in JSON."""

from __future__ import annotations

from typing import ClassVar, Literal

from pydantic import Field, PositiveFloat

from hpc_dl.jobspec.data import Fraction
from hpc_dl.jobspec.music import MusicData


class PianoRolls(MusicData):
    """A JSON file with the pieces of each split: lists of frames, which are lists of pitches."""

    paths: ClassVar[tuple[str, ...]] = ("path",)

    name: Literal["piano_rolls"]
    path: str = Field(
        description='the file, like {"train": [[[60, 64, 67], [62]], ...], "valid": [...], "test": '
        "[...]}, in MIDI's numbers; of the splits `train` has to be there"
    )
    frames_per_quarter: PositiveFloat = Field(
        1.0, description="frames of a quarter note, by which the music is played"
    )
    test: Fraction = Field(0.1, description="share of the pieces for the final test")
