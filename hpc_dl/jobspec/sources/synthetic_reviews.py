"""Options of reviews that a generator makes."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from hpc_dl.jobspec.data import Fraction
from hpc_dl.jobspec.texts import ClassifiedTexts


class SyntheticReviews(ClassifiedTexts):
    """Made by a generator, not written: 4 000 reviews of films, in which `not` turns the sense
    round, so that it does not suffice to count words."""

    name: Literal["synthetic_reviews"]
    test: Fraction = Field(0.1, description="share of the reviews kept for the final test")
