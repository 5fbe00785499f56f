"""Sequences of DNA with a class each. Light."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TypeVar

from hpc_dl.data.faults import Faults
from hpc_dl.data.texts.source import LabelledTextSource
from hpc_dl.data.tokens import Tokenizer
from hpc_dl.data.tokens.dna import AMBIGUOUS, Dna, find_wrong_letter
from hpc_dl.jobspec.sequences import DnaSequences

OfBases = TypeVar("OfBases", bound=DnaSequences)
_AMBIGUOUS = "data.ambiguous: mask reads codes for several bases, such as N, as unknown ones."
_NO_BASE = "Bases are A, C, G and T, or U of RNA. Proteins are not read."


class SequenceSource(LabelledTextSource[OfBases]):
    """Sequences of bases, of which each is a token."""

    def fit(self, training: Iterable[str]) -> Tokenizer:
        return Dna(with_unknown=self.options.ambiguous == "mask")

    @property
    def most(self) -> int:
        return self.options.longest


def check(sequences: Mapping[str, str], where: str, *, mask: bool) -> tuple[str, ...]:
    """Return notes on sequences by their places in a file, which are normalised.

    Raises UserError with the places of letters that are no bases; codes for several bases are none
    unless they are to be masked.
    """
    faults, ambiguous = Faults(where), 0
    for place, sequence in sequences.items():
        if wrong := find_wrong_letter(sequence, with_unknown=mask):
            hint = _AMBIGUOUS if wrong.is_ambiguous else _NO_BASE
            faults.add(str(wrong), [f"{place} (base {wrong.place})"], hint)
        ambiguous += sum(map(sequence.count, AMBIGUOUS)) if mask else 0
    faults.refuse()
    if not ambiguous:
        return ()
    return (f"{where}: {ambiguous} letters are codes for several bases, and read as unknown",)
