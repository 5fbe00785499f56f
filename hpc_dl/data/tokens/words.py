"""Words as tokens."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, ClassVar, Self

import numpy as np

from hpc_dl.data.tokens.counts import most_frequent
from hpc_dl.data.tokens.tokenizer import Ids, Tokenizer
from hpc_dl.jobspec.facts import UNKNOWN


@dataclass(frozen=True)
class Words(Tokenizer):
    """Words and punctuation between blanks, in the case in which they stand; others are UNKNOWN."""

    kind: ClassVar[str] = "words"
    least: ClassVar[int] = 1
    """How often the training texts have a word at least."""
    tokens: tuple[str, ...]
    specials: int = 0
    """How many special tokens there are, after UNKNOWN."""

    @classmethod
    def fit(
        cls, texts: Iterable[str], size: int | None = None, specials: tuple[str, ...] = ()
    ) -> Self:
        first = (UNKNOWN, *specials)
        room = None if size is None else size - len(first)
        chosen = most_frequent(map(str.split, texts), room, cls.least)
        return cls((*first, *chosen), len(specials))

    @classmethod
    def of_state(cls, state: Mapping[str, Any]) -> Self:
        return cls(tuple(map(str, state["tokens"])), int(state["specials"]))

    def state(self) -> dict[str, Any]:
        return {"tokens": self.tokens, "specials": self.specials}

    @cached_property
    def _ids(self) -> dict[str, int]:
        first = 1 + self.specials
        return {token: number for number, token in enumerate(self.tokens[first:], start=first)}

    def encode(self, text: str) -> Ids:
        return np.array([self._ids.get(word, 0) for word in text.split()], dtype=np.int64)

    def decode(self, ids: Sequence[int]) -> str:
        skipped = range(1, 1 + self.specials)
        return " ".join(self.tokens[it] for it in ids if it not in skipped)
