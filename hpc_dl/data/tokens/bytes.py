"""Bytes of UTF-8 as tokens."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Self

import numpy as np

from hpc_dl.data.tokens.tokenizer import Ids, Tokenizer

BYTES = 256


@dataclass(frozen=True)
class Bytes(Tokenizer):
    """The 256 bytes, and after them the special tokens; no text is unknown."""

    kind: ClassVar[str] = "bytes"
    specials: tuple[str, ...] = ()

    @property
    def tokens(self) -> tuple[str, ...]:  # type: ignore[override]
        return (*(f"<{it:02X}>" for it in range(BYTES)), *self.specials)

    @classmethod
    def fit(
        cls, texts: Iterable[str], size: int | None = None, specials: tuple[str, ...] = ()
    ) -> Self:
        return cls(specials)

    @classmethod
    def of_state(cls, state: Mapping[str, Any]) -> Self:
        return cls(tuple(map(str, state["specials"])))

    def state(self) -> dict[str, Any]:
        return {"specials": self.specials}

    def encode(self, text: str) -> Ids:
        raw = text.encode("utf-8", "surrogatepass")
        return np.frombuffer(raw, np.uint8).astype(np.int64)

    def decode(self, ids: Sequence[int]) -> str:
        return bytes(it for it in ids if it < BYTES).decode("utf-8", "replace")
