"""Options of line-aligned files of translations."""

from __future__ import annotations

from typing import ClassVar, Literal

from pydantic import Field

from hpc_dl.jobspec.data import Fraction
from hpc_dl.jobspec.sentence_pairs import SentencePairs


class Parallel(SentencePairs):
    """Two text files in UTF-8, a sentence a line, of which each translates that of the other."""

    paths: ClassVar[tuple[str, ...]] = ("path", "validation_path", "test_path")

    name: Literal["parallel"]
    path: str = Field(
        description="the two files without the names of their languages: corpus/train of "
        "corpus/train.de and corpus/train.en"
    )
    validation_path: str | None = Field(
        None, description="two files for the validation, likewise, if any"
    )
    test_path: str | None = Field(None, description="two files for the final test, if any")
    test: Fraction = Field(0.1, description="share of the lines for the test, without such files")
