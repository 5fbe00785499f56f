"""Numbers of characters that tokens stand for, by which losses of different tokens compare."""

from __future__ import annotations

from hpc_dl.jobspec.data import Feature
from hpc_dl.tasks.detokenize import BYTES, byte_letters


def of_tokens(feature: Feature) -> list[int]:
    """Return how many characters begin in each token of a vocabulary; tokens that are no bytes are
    a character each.

    A character of UTF-8 begins with its one byte that is not 10xxxxxx in bits.
    """
    if feature.tokens not in BYTES:
        return [1] * len(feature.vocabulary)
    return [sum(it >> 6 != 0b10 for it in _bytes(feature, token)) for token in feature.vocabulary]


def _bytes(feature: Feature, token: str) -> list[int]:
    """Return the bytes of a token."""
    if feature.tokens == "bytes":
        return [int(token[1:-1], 16)]
    return [byte_letters()[letter] for letter in token]
