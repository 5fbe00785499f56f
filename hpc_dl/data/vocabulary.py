"""Character vocabulary: fitted on the training split, and kept with the trained network."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from hpc_dl.errors import UserError
from hpc_dl.jobspec.data import UNKNOWN

FILE = "vocabulary.json"
"""The name of its file among the assets."""
Array = np.ndarray[tuple[int, ...], np.dtype[Any]]


@dataclass(frozen=True)
class Vocabulary:
    """Tokens by their ids: UNKNOWN, and characters by their code points."""

    tokens: tuple[str, ...]

    @classmethod
    def fit(cls, text: str) -> Vocabulary:
        """Return the vocabulary of a training text."""
        return cls((UNKNOWN, *sorted(set(text))))

    def encode(self, text: str) -> Array:
        """Return the ids of the characters of a text, (T,) int64; 0 for those that are unknown."""
        known, given = (_code_points(it) for it in ("".join(self.tokens[1:]), text))
        places = np.searchsorted(known, given).clip(max=len(known) - 1)
        ids: Array = np.where(known[places] == given, places + 1, 0)
        return ids

    def to_json(self) -> str:
        return json.dumps(self.tokens)

    @classmethod
    def load(cls, assets: Path) -> Vocabulary:
        """Read it from a folder of assets. Raises UserError where it is not there, or damaged."""
        try:
            return cls(tuple(map(str, json.loads((assets / FILE).read_text()))))
        except (OSError, ValueError, TypeError) as error:
            raise UserError(f"{assets / FILE} cannot be read: {error}") from None


def _code_points(text: str) -> Array:
    """Return the code points of the characters of a text, (T,) uint32."""
    return np.frombuffer(text.encode("utf-32-le", "surrogatepass"), np.dtype("<u4"))
