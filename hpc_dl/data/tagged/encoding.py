"""Words as a network takes them: the id of each, and the bytes that it is spelt with."""

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
from hpc_dl.jobspec.bio import SPELLING
from hpc_dl.jobspec.facts import UNKNOWN, Feature

FILE = "words.json"
"""The name of its file among the assets."""
Array = np.ndarray[tuple[int, ...], np.dtype[Any]]


@dataclass(frozen=True)
class WordEncoder:
    """Words in lower case by their ids; 0 is for those that are unknown."""

    words: tuple[str, ...]

    @classmethod
    def fit(cls, training: Iterable[Sentence], most: int) -> WordEncoder:
        """Return the encoder of training sentences, with `most` words that are known.

        A word that occurs once is not known, so that the network learns what to make of such.
        """
        counts = Counter(word.lower() for it in training for word in it.words)
        frequent = sorted((it for it in counts if counts[it] > 1), key=lambda it: (-counts[it], it))
        return cls((UNKNOWN, *frequent[:most]))

    @classmethod
    def of(cls, inputs: Mapping[str, Feature]) -> WordEncoder:
        """Return the encoder that a data set's inputs were encoded by."""
        return cls(inputs["text"].vocabulary)

    def feature(self, longest: int) -> Feature:
        """Return the input of sentences of `longest` words at most."""
        return Feature("int", (None, 1 + SPELLING), self.words, longest=longest)

    @cached_property
    def _ids(self) -> dict[str, int]:
        return {word: number for number, word in enumerate(self.words)}

    def encode(self, words: Sequence[str]) -> Array:
        """Return the id of each word, and 1 + the bytes of UTF-8 that it begins with, (T, 1 +
        SPELLING) int32; after its end are zeros."""
        found = np.zeros((len(words), 1 + SPELLING), np.int32)
        found[:, 0] = [self._ids.get(it.lower(), 0) for it in words]
        for row, word in zip(found, words, strict=True):
            spelt = word.encode("utf-8", "surrogatepass")[:SPELLING]
            row[1 : 1 + len(spelt)] = np.frombuffer(spelt, np.uint8).astype(np.int32) + 1
        return found

    def to_json(self) -> str:
        return json.dumps(self.words)

    @classmethod
    def load(cls, assets: Path) -> WordEncoder:
        """Read it from a folder of assets. Raises UserError where it is not there, or damaged."""
        try:
            return cls(tuple(map(str, json.loads((assets / FILE).read_text()))))
        except (OSError, ValueError, TypeError) as error:
            raise UserError(f"{assets / FILE} cannot be read: {error}") from None
