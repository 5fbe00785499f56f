"""Texts for people, of token ids."""

from __future__ import annotations

from collections.abc import Sequence

from torch import Tensor

_BLANK = "Ġ"
"""Byte pairs write so, as GPT-2 does, the blank before a word."""


def spell(tokens: Tensor, vocabulary: Sequence[str]) -> str:
    """Return the text of token ids (T,): words with a blank between them."""
    pieces = [vocabulary[token] for token in tokens.tolist()]
    if any(_BLANK in token for token in vocabulary):
        return "".join(pieces).replace(_BLANK, " ")
    are_words = any(len(token) > 1 for token in vocabulary if not token.startswith("<"))
    return (" " if are_words else "").join(pieces)
