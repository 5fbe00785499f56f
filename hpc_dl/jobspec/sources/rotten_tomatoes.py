"""Options of the movie reviews of Rotten Tomatoes."""

from __future__ import annotations

from typing import ClassVar, Literal

from pydantic import Field

from hpc_dl.jobspec.data import Fraction, StagedData
from hpc_dl.jobspec.texts import ClassifiedTexts


class RottenTomatoes(StagedData, ClassifiedTexts):
    """Rotten Tomatoes: 10 662 sentences of movie reviews, half of them positive (Pang and Lee,
    2005)."""

    paths: ClassVar[tuple[str, ...]] = ("root",)

    name: Literal["rotten_tomatoes"]
    test: Fraction = Field(0.1, description="share of the sentences kept for the final test")
