"""Options of sequences of DNA that have a class each."""

from __future__ import annotations

from typing import ClassVar, Literal

from pydantic import Field, PositiveInt

from hpc_dl.jobspec.data import RaggedData
from hpc_dl.jobspec.facts import Modality, Task


class DnaSequences(RaggedData):
    """Options of sequences of DNA that have a class each."""

    modalities: ClassVar[tuple[Modality, ...]] = ("text",)
    tasks: ClassVar[tuple[Task, ...]] = ("classify",)

    name: str
    ambiguous: Literal["refuse", "mask"] = Field(
        "refuse",
        description="whether letters for several bases, such as N, are refused, or read as an "
        "unknown base",
    )
    longest: PositiveInt = Field(
        1024, description="bases of a sequence, of which longer ones lose their end"
    )
