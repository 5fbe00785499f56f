"""Words as a network takes them: an id of each, and those of its characters."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from hpc_dl.data.tagged.sentences import Sentence
from hpc_dl.errors import UserError
from hpc_dl.jobspec.data import UNKNOWN, Feature

FILE = "words.json"
"""The name of its file among the assets."""
LETTERS = 20
"""Characters of a word that a network sees; of longer words the first ones."""
PADDING = "<pad>"
"""The character after the last one of a word; its id is 1."""
Array = np.ndarray[tuple[int, ...], np.dtype[Any]]


@dataclass(frozen=True)
class WordEncoder:
    """Words in lower case, and characters, by their ids; 0 is for those that are unknown."""

    words: tuple[str, ...]
    characters: tuple[str, ...]

    @classmethod
    def fit(cls, training: Iterable[Sentence], most: int) -> WordEncoder:
        """Return the encoder of training sentences: of `most` words, and of all characters.

        A word that occurs once is not known as such, so that the network learns what to make of
        unknown words.
        """
        counts = Counter(word.lower() for it in training for word in it.words)
        frequent = sorted((it for it in counts if counts[it] > 1), key=lambda it: (-counts[it], it))
        letters = sorted({letter for it in training for word in it.words for letter in word})
        return cls((UNKNOWN, *frequent[:most]), (UNKNOWN, PADDING, *letters))

    @classmethod
    def of(cls, inputs: Mapping[str, Feature]) -> WordEncoder:
        """Return the encoder that a data set's inputs were encoded by."""
        return cls(inputs["text"].vocabulary, inputs["characters"].vocabulary)

    def features(self, longest: int) -> dict[str, Feature]:
        """Return the inputs of sentences of `longest` words at most."""
        return {
            "text": Feature("int", (None,), self.words, longest=longest),
            "characters": Feature("int", (None, LETTERS), self.characters, longest=longest),
        }

    @cached_property
    def _ids(self) -> tuple[dict[str, int], dict[str, int]]:
        return tuple({it: n for n, it in enumerate(of)} for of in (self.words, self.characters))  # type: ignore[return-value]

    def encode(self, words: Sequence[str]) -> tuple[Array, Array]:
        """Return the ids of words, (T,), and those of their characters, (T, LETTERS), int64."""
        known, letters = self._ids
        spelt = np.full((len(words), LETTERS), 1, np.int64)
        for row, word in zip(spelt, words, strict=True):
            ids = [letters.get(it, 0) for it in word[:LETTERS]]
            row[: len(ids)] = ids
        return np.array([known.get(it.lower(), 0) for it in words], np.int64), spelt

    def spell(self, spelt: Sequence[int]) -> str:
        """Return the word with these characters, as far as it is known."""
        shown = ("�" if it == 0 else self.characters[it] for it in spelt if it != 1)
        return "".join(shown) + ("…" if len(spelt) == LETTERS and 1 not in spelt else "")

    def to_json(self) -> str:
        return json.dumps({"words": self.words, "characters": self.characters})

    @classmethod
    def load(cls, assets: Path) -> WordEncoder:
        """Read it from a folder of assets. Raises UserError where it is not there, or damaged."""
        try:
            found = json.loads((assets / FILE).read_text())
            return cls(*(tuple(map(str, found[name])) for name in ("words", "characters")))
        except (OSError, ValueError, TypeError, KeyError) as error:
            raise UserError(f"{assets / FILE} cannot be read: {error}") from None
