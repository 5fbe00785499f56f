"""Texts from the ids of tokens, whatever the tokens are: of the features of a text."""

from __future__ import annotations

from collections.abc import Iterable
from functools import cache

from hpc_dl.jobspec.data import Feature


def pieces(feature: Feature, ids: Iterable[int]) -> list[str]:
    """Return what each token stands for, as people read it."""
    return [_piece(feature, feature.vocabulary[it]) for it in ids]


def text(feature: Feature, ids: Iterable[int]) -> str:
    """Return the text of a sequence of tokens; bytes that are no text are marked."""
    tokens = [feature.vocabulary[it] for it in ids]
    if feature.tokens == "words":
        return " ".join(tokens)
    if feature.tokens == "byte_pairs":
        return _bytes(tokens).decode(errors="replace")
    return "".join(tokens)


def _piece(feature: Feature, token: str) -> str:
    return _bytes([token]).decode(errors="replace") if feature.tokens == "byte_pairs" else token


def _bytes(tokens: list[str]) -> bytes:
    """Return the bytes that byte pairs stand for; a special token stands for its own name."""
    known = byte_letters()
    found = bytearray()
    for token in tokens:
        if all(it in known for it in token):
            found += bytes(known[it] for it in token)
        else:
            found += token.encode()
    return bytes(found)


@cache
def byte_letters() -> dict[str, int]:
    """The letter that stands for each byte in byte pairs: itself where it can be printed, else one
    from 256 on (Radford et al., 2019)."""
    shown = [*range(33, 127), *range(161, 173), *range(174, 256)]
    others = [it for it in range(256) if it not in shown]
    return {chr(it): it for it in shown} | {chr(256 + n): it for n, it in enumerate(others)}
