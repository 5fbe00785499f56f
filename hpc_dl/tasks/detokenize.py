"""Texts from the ids of tokens, whatever the tokens are: of the features of a text."""

from __future__ import annotations

from collections.abc import Iterable

from hpc_dl.jobspec.facts import BEGIN, END, Feature

BYTES = ("bytes", "byte_pairs")
"""Kinds of tokens that stand for bytes, of which several may make a character."""
WORDS = ("words", "lowercase_words")
"""Kinds of tokens between which there are blanks."""


def pieces(feature: Feature, ids: Iterable[int]) -> list[str]:
    """Return what each token stands for, as people read it."""
    return [text(feature, [it]) for it in ids]


def text(feature: Feature, ids: Iterable[int]) -> str:
    """Return the text of a sequence of tokens; bytes that are no text are marked."""
    if feature.tokens in BYTES:
        return b"".join(bytes_of(feature, it) for it in ids).decode(errors="replace")
    tokens = [feature.vocabulary[it] for it in ids]
    return (" " if feature.tokens in WORDS else "").join(tokens)


def bytes_of(feature: Feature, token: int) -> bytes:
    """Return the bytes that a token of bytes, or of pairs of them, stands for; none of a special
    token, which is no pair: in those no letter is beside a bracket."""
    shown = feature.vocabulary[token]
    if shown in (BEGIN, END):
        return b""
    return bytes([token]) if feature.tokens == "bytes" else bytes(map(_LETTERS.__getitem__, shown))


def _byte_letters() -> dict[str, int]:
    """The letter that stands for each byte in byte pairs: itself where it can be printed, else one
    from 256 on (Radford et al., 2019)."""
    shown = [*range(33, 127), *range(161, 173), *range(174, 256)]
    others = [it for it in range(256) if it not in shown]
    return {chr(it): it for it in shown} | {chr(256 + n): it for n, it in enumerate(others)}


_LETTERS = _byte_letters()
