"""Options of scikit-learn's digits."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from hpc_dl.jobspec.data import Fraction
from hpc_dl.jobspec.image_options import GreyImages


class Digits(GreyImages):
    """scikit-learn's 1 797 handwritten digits, 8x8 grey: shipped in its wheel, nothing to fetch."""

    name: Literal["digits"]
    test: Fraction = Field(0.1, description="share of all examples kept for the final test")
