"""Options of DNA that a generator makes."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from hpc_dl.jobspec.data import Fraction
from hpc_dl.jobspec.sequences import DnaSequences


class SyntheticDna(DnaSequences):
    """Made by a generator, not sequenced: 3 000 pieces of DNA with a site like the end or the
    beginning of an intron in the middle, or neither."""

    name: Literal["synthetic_dna"]
    test: Fraction = Field(0.1, description="share of the sequences kept for the final test")
