"""Reviews of films that a seeded generator makes, to try a job on where nothing is staged.

A review is favourable or not, and so is each of its two or three statements. A statement has a
good or a bad adjective, and `not` in every third one turns it round: who counts good and bad words
is right about some three of four reviews, and who reads which of them is negated about nearly all.
"""

from __future__ import annotations

import random
from collections.abc import Sequence

from hpc_dl.data.names import Names
from hpc_dl.data.source import Staging
from hpc_dl.data.texts.labelled import LabelledTexts
from hpc_dl.data.texts.source import WordSource
from hpc_dl.jobspec.sources.synthetic_reviews import SyntheticReviews

REVIEWS = 4000
NOISE = 0.05
"""Share of the reviews whose class is the other."""
CLASSES = ("negative", "positive")
ADJECTIVES = (
    ("dull", "awful", "clumsy", "shallow", "tedious", "weak", "bland", "noisy"),
    ("good", "moving", "clever", "charming", "gripping", "fresh", "funny", "bright"),
)
"""Of bad and of good."""
THINGS = ("plot", "acting", "music", "ending", "cast", "script", "camera", "dialogue", "pace")
DEGREES = ("", "very", "really", "at all", "quite", "even remotely")
OPENINGS = ("", "i think", "in this film", "all in all", "my friends say", "to be honest ,")
LINKS = ("and", ", while", "; also ,", "and i found that")


class SyntheticReviewsSource(WordSource[SyntheticReviews]):
    """The reviews, which have no split of their own."""

    synthetic = True

    def staging(self) -> Staging:
        return Staging("made by a generator", staged=True, examples=REVIEWS)

    def read(self) -> LabelledTexts:
        rng = random.Random(0)
        labels = [rng.randrange(2) for _ in range(REVIEWS)]
        texts = [_review(label, rng) for label in labels]
        heard = [label ^ (rng.random() < NOISE) for label in labels]
        note = (
            f"of the reviews {NOISE:.0%} have the class of the other kind: no network can be right "
            f"about more than some {1 - NOISE:.0%} of them, and by chance 50% are"
        )
        names = Names("example", (REVIEWS,))
        return LabelledTexts({"train": texts}, {"train": heard}, CLASSES, names, notes=(note,))


def _review(label: int, rng: random.Random) -> str:
    """Return a favourable review (1), or one that is not (0)."""
    things = rng.sample(THINGS, rng.choice((2, 3)))
    statements = [_statement(thing, label, rng) for thing in things]
    links = [rng.choice(LINKS) for _ in statements[1:]]
    parts = [rng.choice(OPENINGS), statements[0]]
    for link, statement in zip(links, statements[1:], strict=True):
        parts += [link, statement]
    return " ".join(filter(None, parts)) + " ."


def _statement(thing: str, label: int, rng: random.Random) -> str:
    """Return a statement about a thing that is good (1) or bad (0) in the end."""
    negated = rng.randrange(3) == 0
    words: Sequence[str] = ADJECTIVES[label ^ negated]
    degree = rng.choice(DEGREES)
    return " ".join(
        filter(None, ("the", thing, "is", "not" if negated else "", degree, rng.choice(words)))
    )
