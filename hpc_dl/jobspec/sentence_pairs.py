"""Options of sources of sentences and their translations."""

from __future__ import annotations

from typing import ClassVar, Self

from pydantic import Field, model_validator

from hpc_dl.jobspec.facts import Modality, Task
from hpc_dl.jobspec.tokens import Kind, TokenData


class SentencePairs(TokenData):
    """Options of pairs of files, of which each line translates that of the other."""

    modalities: ClassVar[tuple[Modality, ...]] = ("text",)
    tasks: ClassVar[tuple[Task, ...]] = ("translate",)

    name: str
    source: str = Field(
        description="the language that is read, as the names of its files end: de of train.de"
    )
    target: str = Field(description="the language that is written, likewise")
    tokens: Kind = Field(
        "byte_pairs",
        description="what texts of either language are divided into: byte pairs, which are pieces "
        "of words (needs the extra `text`), words between blanks, characters, or bytes of UTF-8",
    )

    @model_validator(mode="after")
    def _languages_differ(self) -> Self:
        if self.source == self.target:
            raise ValueError(f"source and target are one language, {self.source}")
        return self
