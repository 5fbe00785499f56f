"""Numbers of characters that tokens stand for, by which losses of different tokens compare."""

from __future__ import annotations

from hpc_dl.jobspec.facts import Feature
from hpc_dl.tasks.detokenize import BYTES, bytes_of


def of_tokens(feature: Feature) -> list[int]:
    """Return how many characters begin in each token of a vocabulary; tokens that are no bytes are
    a character each.

    A character of UTF-8 begins with its one byte that is not 10xxxxxx in bits.
    """
    if feature.tokens not in BYTES:
        return [1] * len(feature.vocabulary)
    count = len(feature.vocabulary)
    return [sum(it >> 6 != 0b10 for it in bytes_of(feature, token)) for token in range(count)]
