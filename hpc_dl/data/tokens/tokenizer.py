"""Interface of tokenizers."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, ClassVar, Self

import numpy as np

Ids = np.ndarray[tuple[int], np.dtype[np.int64]]
"""Token ids, (T,)."""


class Tokenizer(ABC):
    """Encodes texts as token ids, and decodes these."""

    kind: ClassVar[str]
    """Its name in a job spec."""
    least_size: ClassVar[int] = 2
    """The fewest tokens of a vocabulary, special ones aside: UNKNOWN and another."""
    tokens: tuple[str, ...]
    """What the ids stand for, as it is shown; UNKNOWN, where there is one, is number 0."""

    @classmethod
    @abstractmethod
    def fit(cls, texts: Iterable[str], size: int | None, specials: tuple[str, ...]) -> Self:
        """Return the tokenizer of training texts, with `size` tokens at most."""

    @classmethod
    @abstractmethod
    def of_state(cls, state: Mapping[str, Any]) -> Self:
        """Return the tokenizer of a `state`. Raises KeyError, TypeError or ValueError for none."""

    @abstractmethod
    def state(self) -> dict[str, Any]:
        """Return what it consists of, as JSON can hold it."""

    @abstractmethod
    def encode(self, text: str) -> Ids:
        """Return the ids of the tokens of a text, (T,) int64."""

    def encode_each(self, texts: Sequence[str]) -> list[Ids]:
        """Return the ids of each text."""
        return [self.encode(text) for text in texts]

    @abstractmethod
    def decode(self, ids: Sequence[int]) -> str:
        """Return the text of token ids, without the special tokens."""
