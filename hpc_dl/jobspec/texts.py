"""Options of texts that have a class each."""

from __future__ import annotations

from typing import ClassVar

from pydantic import Field, PositiveInt

from hpc_dl.jobspec.facts import Modality, Task
from hpc_dl.jobspec.tokens import Kind, TokenData, Vocabulary


class ClassifiedTexts(TokenData):
    """Options of texts that have a class each."""

    modalities: ClassVar[tuple[Modality, ...]] = ("text",)
    tasks: ClassVar[tuple[Task, ...]] = ("classify",)

    name: str
    tokens: Kind = Field(
        "lowercase_words", description=TokenData.model_fields["tokens"].description
    )
    vocabulary: Vocabulary = Field(
        None,
        description="most tokens, of which those beyond the most frequent are <unk>; if unset all "
        "of the training examples, but for words in lower case that are there once, and 8000 byte "
        "pairs",
    )
    longest: PositiveInt = Field(
        256, description="tokens of a text, of which longer ones lose their end"
    )
