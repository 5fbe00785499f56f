"""Sizes of the splits, and of each class in them, as the plan shows and the training gets them.
Light."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from hpc_dl.data.splits import faults
from hpc_dl.data.splits.strata import apportion, deal
from hpc_dl.jobspec.data import Data

if TYPE_CHECKING:
    from hpc_dl.data.splits.holdout import Array

TEST = 0.1
"""Share of the examples for the test, where a source has no option for it."""
SPLITS = ("train", "validation", "test")

Counts = dict[str, list[int]]
"""Split → the number of its examples of each class."""


@dataclass(frozen=True)
class Holdout:
    """Shares of the training examples to hold out; `holdout.positions` chooses which ones."""

    validation: float = 0.1
    test: float = TEST
    seed: int = 0
    folds: int | None = None
    fold: int = 0
    stratify: bool = True

    @classmethod
    def of(cls, source: Data) -> Holdout:
        """Return what a source's options say."""
        has_key = "test" in type(source).model_fields  # a user's function may have such an option
        return cls(
            source.validation,
            getattr(source, "test", TEST) if has_key else TEST,
            source.split_seed,
            source.folds,
            source.fold or 0,
            source.stratify,
        )

    def wanted(self, count: int) -> dict[str, int]:
        """Return how many of `count` examples to hold out, where they are in no groups."""
        tested = round(count * self.test)
        if self.folds:
            tested = len(range(self.fold, count, self.folds))
        return {"validation": round(count * self.validation), "test": tested}

    def quotas(self, there: Sequence[int], missing: Collection[str]) -> Counts:
        """Return how many examples of each class to hold out, of as many as are `there`."""
        wanted, left, found = self.wanted(sum(there)), list(there), {}
        for name in ("test", "validation"):
            if name in missing:
                folds = self.folds if name == "test" else None
                found[name] = (
                    deal(left, folds, self.fold) if folds else apportion(left, wanted[name])
                )
                left = _subtract(left, found[name])
        return found


def split_facts(
    answers: Mapping[str, Any],
    classes: Sequence[str],
    holdout: Holdout,
    groups: Array | None = None,
    include: Collection[str] = (),
) -> dict[str, Any]:
    """Return what `DataFacts` say of the splits: their sizes, `class_counts`, `drawn` and `groups`.

    `answers` has the class of each example, from 0, of the splits that a source has; without
    `classes`, anything that is as long as a split. Of the classes to `include` alone is trained,
    where there are any; the test then gets all others. Raises UserError where no example is left
    to train on, in all or of a class.
    """
    about = {"drawn": _missing(answers), "groups": _group_count(groups)}
    if not classes:
        sizes = split_counts({name: len(it) for name, it in answers.items()}, holdout, groups)
        return {**dict(zip(SPLITS, sizes, strict=True)), **about}
    counts = _count_classes(answers, classes, holdout, groups, include)
    return {
        **{name: sum(counts[name]) for name in SPLITS},
        "class_counts": {name: tuple(counts[name]) for name in SPLITS},
        **about,
    }


def split_counts(
    there: Mapping[str, int], holdout: Holdout, groups: Array | None = None
) -> tuple[int, int, int]:
    """Return the sizes of train, validation and test, given those of the splits of a source.

    A split that the source does not have is taken from its training examples, of which `groups`
    says which belong together. Raises UserError where none would be left to train on.
    """
    counts = _divide({name: [count] for name, count in there.items()}, holdout, groups)
    return sum(counts["train"]), sum(counts["validation"]), sum(counts["test"])


def _count_classes(
    answers: Mapping[str, Any],
    classes: Sequence[str],
    holdout: Holdout,
    groups: Array | None,
    include: Collection[str],
) -> Counts:
    """Return the examples of each class by split; see `split_facts`."""
    labels, others = dict(answers), [0] * len(classes)
    if include:
        labels["train"] = [it for it in answers["train"] if classes[it] in include]
        if "test" not in answers:
            others = _subtract(*(_count(it["train"], len(classes)) for it in (answers, labels)))
    there = {name: _count(it, len(classes)) for name, it in labels.items()}
    counts = _divide(there, holdout, groups, labels["train"])
    faults.refuse_untrained(counts["train"], there["train"], classes, include, groups)
    counts["test"] = [own + other for own, other in zip(counts["test"], others, strict=True)]
    return counts


def _divide(
    there: Mapping[str, list[int]],
    holdout: Holdout,
    groups: Array | None,
    labels: Any = None,
) -> Counts:
    """Return the examples of each class by split, given those of the splits of a source.

    `labels` are the classes of the training examples; None if all are of one. The examples are
    drawn only if their numbers cannot be known otherwise.
    """
    train, missing = there["train"], _missing(there)
    if holdout.folds:
        faults.refuse_folds(there, holdout.folds)
    is_drawn = groups is not None or (labels is not None and not holdout.stratify)
    made = (
        _drawn(missing, holdout, groups, labels, train)
        if is_drawn and missing
        else holdout.quotas(train, missing)
    )
    taken = {name: sum(made[name]) for name in missing}
    wanted = taken if is_drawn else {name: holdout.wanted(sum(train))[name] for name in missing}
    left = train
    for counts in made.values():
        left = _subtract(left, counts)
    if taken != wanted or not sum(left):
        raise faults.nothing_left(train, wanted, holdout, groups)
    return {**there, **made, "train": left}


def _missing(there: Collection[str]) -> tuple[str, ...]:
    """Return the splits that a source does not have."""
    return tuple(name for name in SPLITS[1:] if name not in there)


def _drawn(
    missing: Collection[str],
    holdout: Holdout,
    groups: Array | None,
    labels: Any,
    there: list[int],
) -> Counts:
    """Draw the examples, and count them."""
    import numpy as np

    from hpc_dl.data.splits.holdout import positions

    known = list(labels) if isinstance(labels, bytes) else labels
    strata = np.zeros(sum(there), np.int64) if known is None else np.asarray(known, np.int64)
    taken = positions(len(strata), missing, holdout, groups, strata)
    return {name: _count(strata[taken[name]], len(there)) for name in missing}


def _count(labels: Any, classes: int) -> list[int]:
    """Return how many examples there are of each class. numpy is imported for its arrays alone."""
    if isinstance(labels, bytes | list):
        found = Counter(labels)
        return [found[number] for number in range(classes)]
    import numpy as np

    counts: list[int] = np.bincount(np.asarray(labels), minlength=classes).tolist()
    return counts


def _subtract(counts: Sequence[int], others: Sequence[int]) -> list[int]:
    return [count - other for count, other in zip(counts, others, strict=True)]


def _group_count(groups: Array | None) -> int:
    """Return the number of groups, which count from 0; 0 without groups."""
    return 0 if groups is None else int(groups.max()) + 1
