"""Characters as tokens."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Self

import numpy as np

from hpc_dl.data.tokens.counts import most_frequent
from hpc_dl.data.tokens.tokenizer import Ids, Tokenizer
from hpc_dl.jobspec.facts import UNKNOWN


@dataclass(frozen=True)
class Characters(Tokenizer):
    """Characters by their code points, after UNKNOWN and the special tokens."""

    kind: ClassVar[str] = "characters"
    tokens: tuple[str, ...]
    specials: int = 0
    """How many special tokens there are."""

    @classmethod
    def fit(
        cls, texts: Iterable[str], size: int | None = None, specials: tuple[str, ...] = ()
    ) -> Self:
        first = (UNKNOWN, *specials)
        chosen = most_frequent(texts, None if size is None else size - len(first))
        return cls((*first, *sorted(chosen)), len(specials))

    @classmethod
    def of_state(cls, state: Mapping[str, Any]) -> Self:
        return cls(tuple(map(str, state["tokens"])), int(state.get("specials", 0)))

    def state(self) -> dict[str, Any]:
        return {"tokens": self.tokens, "specials": self.specials}

    def encode(self, text: str) -> Ids:
        first = 1 + self.specials
        known, given = (_code_points(it) for it in ("".join(self.tokens[first:]), text))
        places = np.searchsorted(known, given).clip(max=len(known) - 1)
        ids: Ids = np.where(known[places] == given, places + first, 0)
        return ids

    def decode(self, ids: Sequence[int]) -> str:
        skipped = range(1, 1 + self.specials)
        return "".join(self.tokens[it] for it in ids if it not in skipped)


def _code_points(text: str) -> np.ndarray[tuple[int], np.dtype[np.uint32]]:
    """Return the code points of the characters of a text, (T,)."""
    return np.frombuffer(text.encode("utf-32-le", "surrogatepass"), np.dtype("<u4"))
