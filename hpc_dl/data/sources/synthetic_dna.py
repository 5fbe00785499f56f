"""Pieces of DNA that a seeded generator makes, to try a job on where nothing is staged.

The middle of a `donor` or an `acceptor` is drawn from the shares of the bases at the beginning or
the end of an intron, rounded from those of vertebrates (Shapiro and Senapathy, Nucleic Acids
Research 15 (1987), https://doi.org/10.1093/nar/15.17.7155). A sequence that is `neither` has GT or
AG there as well, but any bases around.
"""

from __future__ import annotations

import math
import random
from dataclasses import dataclass

from hpc_dl.data.names import Names
from hpc_dl.data.source import Staging
from hpc_dl.data.texts.labelled import LabelledTexts
from hpc_dl.data.texts.sequences import SequenceSource
from hpc_dl.data.tokens.dna import BASES
from hpc_dl.jobspec.sources.synthetic_dna import SyntheticDna

SEQUENCES, LENGTH = 3000, 40
CLASSES = ("acceptor", "donor", "neither")
Shares = tuple[float, float, float, float]
"""Of A, C, G and T, at one place."""
_ANY: Shares = (0.25, 0.25, 0.25, 0.25)
_PYRIMIDINE: Shares = (0.10, 0.31, 0.12, 0.47)
DONOR: tuple[Shares, ...] = (
    (0.33, 0.37, 0.18, 0.12),
    (0.60, 0.13, 0.12, 0.15),
    (0.09, 0.03, 0.80, 0.08),
    (0.00, 0.00, 1.00, 0.00),
    (0.00, 0.00, 0.00, 1.00),
    (0.55, 0.03, 0.40, 0.02),
    (0.70, 0.08, 0.12, 0.10),
    (0.08, 0.05, 0.80, 0.07),
    (0.16, 0.17, 0.21, 0.46),
)
ACCEPTOR: tuple[Shares, ...] = (
    *[_PYRIMIDINE] * 10,
    _ANY,
    (0.05, 0.65, 0.01, 0.29),
    (1.00, 0.00, 0.00, 0.00),
    (0.00, 0.00, 1.00, 0.00),
    (0.25, 0.15, 0.50, 0.10),
)
"""Place by place."""


@dataclass(frozen=True)
class Site:
    """What is drawn into the middle of the sequences of a class."""

    first: int
    """Its place in a sequence, counted from 0."""
    shares: tuple[Shares, ...]
    fixed: str
    """The two bases that each of them has, a pair that chance has in one sequence of 16."""
    fixed_at: int
    """Their place in a sequence."""

    def has_fixed(self, sequence: str) -> bool:
        return sequence[self.fixed_at : self.fixed_at + 2] == self.fixed

    def odds(self, sequence: str) -> float:
        """Return how many times likelier a sequence is in this class than by chance."""
        bases = sequence[self.first : self.first + len(self.shares)]
        pairs = zip(bases, self.shares, strict=True)
        return math.prod(shares[BASES.index(base)] * len(BASES) for base, shares in pairs)


SITES = {"acceptor": Site(6, ACCEPTOR, "AG", 18), "donor": Site(17, DONOR, "GT", 20)}


class SyntheticDnaSource(SequenceSource[SyntheticDna]):
    """The sequences, which have no split of their own."""

    synthetic = True

    def staging(self) -> Staging:
        return Staging("made by a generator", staged=True, examples=SEQUENCES)

    def read(self) -> LabelledTexts:
        rng = random.Random(0)
        labels = [rng.randrange(len(CLASSES)) for _ in range(SEQUENCES)]
        texts = [_sequence(CLASSES[label], rng) for label in labels]
        right = sum(_likeliest(it) == label for it, label in zip(texts, labels, strict=True))
        note = (
            f"who knows the generator's shares of the bases is right about {right / SEQUENCES:.1%} "
            f"of the sequences, and by chance {1 / len(CLASSES):.0%} are"
        )
        names = Names("example", (SEQUENCES,))
        return LabelledTexts({"train": texts}, {"train": labels}, CLASSES, names, notes=(note,))


def _sequence(name: str, rng: random.Random) -> str:
    """Return a sequence of a class."""
    bases = rng.choices(BASES, k=LENGTH)
    if site := SITES.get(name):
        drawn = [rng.choices(BASES, shares)[0] for shares in site.shares]
        bases[site.first : site.first + len(drawn)] = drawn
    else:
        other = rng.choice([*SITES.values()])
        bases[other.fixed_at : other.fixed_at + 2] = other.fixed
    return "".join(bases)


def _likeliest(sequence: str) -> int:
    """Return the class in which a sequence is the likeliest (Bayes' classifier)."""
    odds = {name: site.odds(sequence) for name, site in SITES.items()}
    odds["neither"] = sum(16 / len(SITES) * it.has_fixed(sequence) for it in SITES.values())
    return max(range(len(CLASSES)), key=lambda number: odds[CLASSES[number]])
