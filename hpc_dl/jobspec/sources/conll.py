"""Options of CoNLL column files."""

from __future__ import annotations

from typing import ClassVar, Literal

from pydantic import Field

from hpc_dl.jobspec.data import Fraction
from hpc_dl.jobspec.tagged import Tagged


class Conll(Tagged):
    """Sentences with tags in CoNLL column files: a word and its tags a line."""

    paths: ClassVar[tuple[str, ...]] = ("path", "validation_path", "test_path")

    name: Literal["conll"]
    path: str = Field(
        description="the file, in UTF-8: columns separated by tabs or blanks, an empty line "
        "between sentences"
    )
    word: int = Field(0, description="column of the words, from 0")
    column: int = Field(-1, description="column of the tags, from 0; from the end, if below 0")
    validation_path: str | None = Field(
        None, description="a file of sentences for the validation, if any"
    )
    test_path: str | None = Field(
        None, description="a file of sentences for the final test, if any"
    )
    test: Fraction = Field(
        0.1, description="share of the sentences for the test, without such a file"
    )
