"""Notes on splits without an example, and on classes: missing in a split, far from their share, or
nearly alone."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from hpc_dl.data.splits.counts import Holdout
from hpc_dl.errors import first_few
from hpc_dl.jobspec.facts import DataFacts

MAJORITY = 0.9
"""Share of the examples from which on accuracy alone says little."""
_FAR = 0.01
"""How far a share may be off without a note, beside one example."""


def notes(holdout: Holdout, facts: DataFacts, learns_classes: bool) -> Iterator[str]:
    """Yield the notes, a sentence each; on classes none where their numbers are not known."""
    yield from _note_empty(holdout, facts)
    if not facts.class_counts:
        return
    totals = [sum(its) for its in zip(*facts.class_counts.values(), strict=True)]
    yield from _note_absent(facts, totals)
    if facts.groups:
        yield from _note_shares(holdout, facts)
    if learns_classes and not facts.include_classes:
        yield from _note_majority(facts.classes, totals)


def _note_empty(holdout: Holdout, facts: DataFacts) -> Iterator[str]:
    """Note drawn splits that have no example, for their share is less than one."""
    drawn = facts.drawn or ()
    count = sum(getattr(facts, split) for split in ("train", *drawn))
    for split in drawn:
        if not getattr(facts, split):
            share = holdout.validation if split == "validation" else holdout.test
            yield f"{split} has no example: {share:.2g} of {count} is less than one"


def _note_absent(facts: DataFacts, totals: Sequence[int]) -> Iterator[str]:
    """Note the classes that validation or test have no example of, the same ones at once."""
    splits: dict[str, list[str]] = {}
    for split in ("validation", "test"):
        expected = (split == "validation" and facts.include_classes) or facts.classes
        counted = zip(facts.classes, totals, facts.class_counts[split], strict=True)
        absent = [
            f"'{name}' ({total} in all)"
            for name, total, count in counted
            if total and not count and name in expected
        ]
        if absent and any(facts.class_counts[split]):
            splits.setdefault(first_few(absent), []).append(split)
    for absent_classes, of in splits.items():
        have = "have" if len(of) > 1 else "has"
        yield f"{' and '.join(of)} {have} no example of {absent_classes}"


def _note_shares(holdout: Holdout, facts: DataFacts) -> Iterator[str]:
    """Note the class of each drawn split that is the farthest from the share that was asked for."""
    counts, drawn = facts.class_counts, facts.drawn or ()
    given = [sum(counts[split][n] for split in ("train", *drawn)) for n in _numbers(facts)]
    for split in drawn:
        wanted = holdout.validation if split == "validation" else holdout.test
        if split == "test" and holdout.folds:
            wanted = 1 / holdout.folds
        off = {n: abs(counts[split][n] / given[n] - wanted) for n in _numbers(facts) if given[n]}
        worst = max(off, key=lambda n: off[n])
        if off[worst] > _FAR and off[worst] * given[worst] > 1:
            yield (
                f"groups are never divided: the {split} split has {sum(counts[split])} of "
                f"{sum(given)} examples, and {counts[split][worst]} of {given[worst]} of class "
                f"'{facts.classes[worst]}'; {wanted:.0%} of each was asked for"
            )


def _note_majority(classes: Sequence[str], totals: Sequence[int]) -> Iterator[str]:
    most, every = max(totals), sum(totals)
    if most > MAJORITY * every:
        yield (
            f"{most / every:.1%} of the examples are of class '{classes[totals.index(most)]}': an "
            f"accuracy of {most / every:.3f} is reached by always predicting it"
        )


def _numbers(facts: DataFacts) -> range:
    return range(len(facts.classes))
