"""Options of music that a generator makes."""

from __future__ import annotations

from typing import Literal

from pydantic import Field, NonNegativeInt, PositiveInt

from hpc_dl.jobspec.data import Fraction
from hpc_dl.jobspec.music import MusicData


class SyntheticMusic(MusicData):
    """Cadences in four voices and random keys, made by a seeded generator."""

    name: Literal["synthetic_music"]
    pieces: PositiveInt = Field(240, description="pieces to make")
    seed: NonNegativeInt = Field(0, description="of the generator")
    test: Fraction = Field(0.1, description="share of the pieces for the final test")
