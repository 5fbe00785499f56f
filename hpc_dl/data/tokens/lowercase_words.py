"""Words in lower case as tokens."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import ClassVar, Self

from hpc_dl.data.tokens.tokenizer import Ids
from hpc_dl.data.tokens.words import Words

_WORD = re.compile(r"\w+(?:['’]\w+)*|[^\w\s]")


class LowercaseWords(Words):
    """Words in lower case, and punctuation marks apart from them; others are UNKNOWN.

    Those that are there once are UNKNOWN, too: from them a network learns what to make of words
    that it does not know, while of each alone it could learn nothing but its example.
    """

    kind: ClassVar[str] = "lowercase_words"
    least: ClassVar[int] = 2

    @classmethod
    def fit(
        cls, texts: Iterable[str], size: int | None = None, specials: tuple[str, ...] = ()
    ) -> Self:
        return super().fit((_divide(text) for text in texts), size, specials)

    def encode(self, text: str) -> Ids:
        return super().encode(_divide(text))


def _divide(text: str) -> str:
    """Return a text with a blank between its tokens."""
    return " ".join(_WORD.findall(text.lower()))
