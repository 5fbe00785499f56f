"""Options of the translation of numbers."""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal

from pydantic import Field

from hpc_dl.jobspec.data import Fraction, RaggedData
from hpc_dl.jobspec.facts import Modality, Task


class SyntheticTranslation(RaggedData):
    """Numbers below a million in German words, letter by letter, to be put into English words."""

    modalities: ClassVar[tuple[Modality, ...]] = ("text",)
    tasks: ClassVar[tuple[Task, ...]] = ("translate",)

    name: Literal["synthetic_translation"]
    examples: Annotated[int, Field(ge=10, le=200_000)] = Field(
        6000, description="how many different numbers are drawn"
    )
    seed: int = Field(0, description="decides which numbers are drawn")
    test: Fraction = Field(0.1, description="share of the numbers for the test")
