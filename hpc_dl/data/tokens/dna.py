"""Bases of DNA as tokens. Light."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Self

import numpy as np

from hpc_dl.data.tokens.tokenizer import Ids, Tokenizer
from hpc_dl.errors import UserError
from hpc_dl.jobspec.facts import UNKNOWN

BASES = "ACGT"
AMBIGUOUS = "NRYSWKMBDHV"
"""Codes of the IUPAC for any base, or one of several (Cornish-Bowden, Nucleic Acids Research 13
(1985), https://doi.org/10.1093/nar/13.9.3021)."""


@dataclass(frozen=True)
class Dna(Tokenizer):
    """The four bases, in upper or lower case, and U of RNA as T; the codes of several bases are
    UNKNOWN, where there is such a token."""

    kind: ClassVar[str] = "dna"
    with_unknown: bool = False

    @property
    def tokens(self) -> tuple[str, ...]:  # type: ignore[override]
        return (*([UNKNOWN] if self.with_unknown else []), *BASES)

    @classmethod
    def fit(
        cls, texts: Iterable[str], size: int | None = None, specials: tuple[str, ...] = ()
    ) -> Self:
        """Return the tokenizer with UNKNOWN, whatever the texts and the size."""
        return cls(with_unknown=True)

    @classmethod
    def of_state(cls, state: Mapping[str, Any]) -> Self:
        return cls(bool(state["with_unknown"]))

    def state(self) -> dict[str, Any]:
        return {"with_unknown": self.with_unknown}

    def encode(self, text: str) -> Ids:
        """Return the ids of bases, (T,) int64. Raises UserError for a letter that is none."""
        sequence = normalise(text)
        if wrong := find_wrong_letter(sequence, with_unknown=self.with_unknown):
            raise UserError(f"{wrong}, at place {wrong.place} of the sequence")
        codes = np.frombuffer(sequence.encode("ascii"), np.uint8)
        first = int(self.with_unknown)
        ids = np.zeros(len(codes), np.int64)
        for number, base in enumerate(BASES, start=first):
            ids[codes == ord(base)] = number
        return ids

    def decode(self, ids: Sequence[int]) -> str:
        letters = [*(["N"] if self.with_unknown else []), *BASES]
        return "".join(letters[it] for it in ids)


def normalise(text: str) -> str:
    """Return a sequence in upper case without blanks, U as T."""
    return "".join(text.split()).upper().replace("U", "T")


@dataclass(frozen=True)
class WrongLetter:
    """A letter of a sequence that is no base."""

    letter: str
    place: int
    """Counted from 1."""

    @property
    def is_ambiguous(self) -> bool:
        return self.letter in AMBIGUOUS

    def __str__(self) -> str:
        what = "a code for several bases" if self.is_ambiguous else "not A, C, G or T"
        return f"letter {self.letter!r} is {what}"


def find_wrong_letter(sequence: str, *, with_unknown: bool) -> WrongLetter | None:
    """Return a letter of a normalised sequence that is no base, if any: the first that is no code
    for several bases either, as in proteins, or else the first such code."""
    wrong = re.search(f"[^{BASES}{AMBIGUOUS}]", sequence)
    if wrong is None and not with_unknown:
        wrong = re.search(f"[{AMBIGUOUS}]", sequence)
    return None if wrong is None else WrongLetter(wrong[0], wrong.start() + 1)
