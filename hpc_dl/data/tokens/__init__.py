"""Tokenizers: what turns a text into token ids and back, fitted on the training split alone."""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path

from hpc_dl.data.tokens.byte_pairs import BytePairs
from hpc_dl.data.tokens.bytes import Bytes
from hpc_dl.data.tokens.characters import Characters
from hpc_dl.data.tokens.dna import Dna
from hpc_dl.data.tokens.lowercase_words import LowercaseWords
from hpc_dl.data.tokens.tokenizer import Tokenizer
from hpc_dl.data.tokens.words import Words
from hpc_dl.errors import UserError

__all__ = ["FILE", "KINDS", "Tokenizer", "fit", "load", "to_json"]

FILE = "vocabulary.json"
"""The name of a tokenizer's file among the assets."""
KINDS: dict[str, type[Tokenizer]] = {
    it.kind: it for it in (Characters, Bytes, Words, LowercaseWords, BytePairs, Dna)
}


def fit(
    kind: str, texts: Iterable[str], size: int | None = None, specials: tuple[str, ...] = ()
) -> Tokenizer:
    """Return a tokenizer of a kind, of `size` tokens at most, fitted on training texts; `specials`
    are tokens that stand for no text, such as the end of a sentence.

    Raises UserError for a size that leaves no room for tokens of texts.
    """
    least = KINDS[kind].least_size + len(specials)
    if size is not None and size < least:
        raise UserError(f"data.vocabulary {size}: with tokens: {kind} it is {least} at least")
    return KINDS[kind].fit(texts, size, specials)


def to_json(tokenizer: Tokenizer) -> str:
    """Return the content of a tokenizer's file."""
    return json.dumps({"kind": tokenizer.kind, **tokenizer.state()})


def load(file: Path) -> Tokenizer:
    """Read a tokenizer from its file. Raises UserError where it is not there, or damaged."""
    try:
        found = json.loads(file.read_text())
        if isinstance(found, list):  # of before there were other kinds
            found = {"kind": Characters.kind, "tokens": found}
        return KINDS[found.pop("kind")].of_state(found)
    except (OSError, ValueError, TypeError, KeyError, AttributeError) as error:
        raise UserError(f"{file} cannot be read: {error}") from None
