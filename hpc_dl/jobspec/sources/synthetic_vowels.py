"""Options of synthetic words of vowels."""

from __future__ import annotations

from typing import ClassVar, Literal

from pydantic import Field, NonNegativeInt

from hpc_dl.jobspec.data import Fraction, RaggedData
from hpc_dl.jobspec.facts import Modality


class SyntheticVowels(RaggedData):
    """Synthetic words of two vowels each, which a generator makes, and nobody has spoken."""

    modalities: ClassVar[tuple[Modality, ...]] = ("audio",)

    name: Literal["synthetic_vowels"]
    examples: int = Field(600, ge=60, description="words in all")
    seed: NonNegativeInt = Field(0, description="of the generator")
    test: Fraction = Field(0.1, description="share of all examples kept for the final test")
