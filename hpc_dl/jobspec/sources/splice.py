"""Options of the splice junctions of primates."""

from __future__ import annotations

from typing import ClassVar, Literal

from pydantic import Field

from hpc_dl.jobspec.data import Fraction, StagedData
from hpc_dl.jobspec.sequences import DnaSequences


class Splice(StagedData, DnaSequences):
    """Splice junctions of primates: 3 190 sequences of 60 bases, with a junction from exon to
    intron (EI), from intron to exon (IE), or neither (N) in the middle (UCI, 1991)."""

    licence: ClassVar[str] = "CC-BY-4.0"
    paths: ClassVar[tuple[str, ...]] = ("root",)

    name: Literal["splice"]
    ambiguous: Literal["refuse", "mask"] = Field(
        "mask",
        description="whether the 60 letters for several bases, such as N, are refused, or read as "
        "an unknown base",
    )
    test: Fraction = Field(0.1, description="share of the sequences kept for the final test")
