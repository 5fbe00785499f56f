"""Options of sentences whose words have tags."""

from __future__ import annotations

from typing import ClassVar

from pydantic import Field, PositiveInt

from hpc_dl.jobspec.data import RaggedData
from hpc_dl.jobspec.facts import Modality, Task


class Tagged(RaggedData):
    """Options of sentences whose words have tags, such as those of named entities."""

    modalities: ClassVar[tuple[Modality, ...]] = ("text",)
    tasks: ClassVar[tuple[Task, ...]] = ("tag",)

    name: str
    vocabulary: PositiveInt = Field(
        20_000,
        description="most words that are known as such, in lower case: the most frequent of the "
        "training split that occur twice; of the others the network sees the spelling alone",
    )
    longest: PositiveInt = Field(
        256, description="most words of an example; longer sentences are cut into several"
    )
