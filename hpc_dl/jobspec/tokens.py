"""Options of sources whose examples are texts, read as tokens."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, PositiveInt

from hpc_dl.jobspec.data import RaggedData
from hpc_dl.jobspec.only_with import OnlyWith

Kind = Literal["characters", "bytes", "words", "lowercase_words", "byte_pairs"]

Vocabulary = Annotated[
    PositiveInt | None,
    OnlyWith("tokens", ("characters", "words", "lowercase_words", "byte_pairs")),
]
"""The size of a vocabulary; the bytes are always 256."""


class TokenData(RaggedData):
    """Options of a source of texts."""

    name: str
    tokens: Kind = Field(
        "words",
        description="what a text is divided into: characters; bytes of UTF-8; words between "
        "blanks; words in lower case, with punctuation marks apart; or byte pairs, which are "
        "pieces of words (needs the extra `text`)",
    )
    vocabulary: Vocabulary = Field(
        None,
        description="most tokens, of which those beyond the most frequent are <unk>; all of the "
        "training examples if unset, 8000 of byte pairs",
    )
    longest: PositiveInt | None = Field(
        None, description="tokens of an example, of which longer ones lose their end"
    )
