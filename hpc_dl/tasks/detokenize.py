"""Texts from the ids of tokens, whatever the tokens are: of the features of a text."""

from __future__ import annotations

from collections.abc import Iterable
from functools import cache

from hpc_dl.jobspec.data import BEGIN, END, Feature

BYTES = ("bytes", "byte_pairs")
"""Kinds of tokens that stand for bytes, of which several may make a character."""
WORDS = ("words", "lowercase_words")
"""Kinds of tokens between which there are blanks."""


def pieces(feature: Feature, ids: Iterable[int]) -> list[str]:
    """Return what each token stands for, as people read it."""
    return [_piece(feature, feature.vocabulary[it]) for it in ids]


def text(feature: Feature, ids: Iterable[int]) -> str:
    """Return the text of a sequence of tokens; bytes that are no text are marked."""
    tokens = [feature.vocabulary[it] for it in ids]
    if feature.tokens in WORDS:
        return " ".join(tokens)
    if feature.tokens in BYTES:
        return _bytes(feature, tokens).decode(errors="replace")
    return "".join(tokens)


def _piece(feature: Feature, token: str) -> str:
    is_bytes = feature.tokens in BYTES
    return _bytes(feature, [token]).decode(errors="replace") if is_bytes else token


def _bytes(feature: Feature, tokens: Iterable[str]) -> bytes:
    """Return the bytes that tokens stand for; special tokens stand for none."""
    known, found = byte_letters(), bytearray()
    for token in tokens:
        if feature.tokens == "bytes" and len(token) == len("<00>"):
            found.append(int(token[1:3], 16))
        elif feature.tokens == "byte_pairs" and token not in (BEGIN, END):
            found += bytes(known[it] for it in token)
    return bytes(found)


@cache
def byte_letters() -> dict[str, int]:
    """The letter that stands for each byte in byte pairs: itself where it can be printed, else one
    from 256 on (Radford et al., 2019)."""
    shown = [*range(33, 127), *range(161, 173), *range(174, 256)]
    others = [it for it in range(256) if it not in shown]
    return {chr(it): it for it in shown} | {chr(256 + n): it for n, it in enumerate(others)}
