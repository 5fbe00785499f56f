"""Sizes of the splits, and of each class in them, as the plan shows and the training gets them.
Light."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from hpc_dl.data.strata import apportion, deal
from hpc_dl.errors import UserError, first_few
from hpc_dl.jobspec.data import Data

if TYPE_CHECKING:
    from hpc_dl.data.holdout import Array

TEST = 0.1
"""Share of the examples for the test, where a source has no option for it."""
SPLITS = ("train", "validation", "test")

Counts = dict[str, list[int]]
"""Split → the number of its examples of each class."""


@dataclass(frozen=True)
class Holdout:
    """Shares of the training examples to hold out; `hpc_dl.data.holdout` chooses which ones."""

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
    if not classes:
        lengths = {name: len(it) for name, it in answers.items()}
        sizes = dict(zip(SPLITS, split_counts(lengths, holdout, groups), strict=True))
        return {**sizes, "drawn": _missing(answers), "groups": _group_count(groups)}
    labels = dict(answers)
    others = [0] * len(classes)
    if include:
        labels["train"] = [it for it in answers["train"] if classes[it] in include]
        if "test" not in answers:
            others = _subtract(*(_count(it["train"], len(classes)) for it in (answers, labels)))
    there = {name: _count(it, len(classes)) for name, it in labels.items()}
    counts = _divide(there, holdout, groups, labels["train"])
    _refuse_untrained(counts["train"], there["train"], classes, include or classes)
    counts["test"] = [own + other for own, other in zip(counts["test"], others, strict=True)]
    return {
        **{name: sum(counts[name]) for name in SPLITS},
        "class_counts": {name: tuple(counts[name]) for name in SPLITS},
        "drawn": _missing(answers),
        "groups": _group_count(groups),
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
    train, total = there["train"], sum(there["train"])
    if holdout.folds:
        _refuse_folds(there, holdout.folds)
    missing = _missing(there)
    is_drawn = groups is not None or (labels is not None and not holdout.stratify)
    if is_drawn and missing:
        made = _drawn(missing, holdout, groups, labels, train)
        short = False
    else:
        made = holdout.quotas(train, missing)
        short = any(sum(it) < holdout.wanted(total)[name] for name, it in made.items())
    for counts in made.values():
        train = _subtract(train, counts)
    if short or not sum(train):
        wanted = holdout.wanted(total) if short else {n: sum(it) for n, it in made.items()}
        shares = {name: wanted[name] for name in missing}
        raise _nothing_left(there["train"], shares, holdout, groups)
    return {**there, **made, "train": train}


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

    from hpc_dl.data.holdout import positions

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


def _refuse_untrained(
    train: Sequence[int], there: Sequence[int], classes: Sequence[str], wanted: Collection[str]
) -> None:
    """Raise UserError where the training split has no example of some class."""
    absent = [
        f"'{name}' ({count} in all)" if count else f"'{name}'"
        for name, left, count in zip(classes, train, there, strict=True)
        if name in wanted and not left
    ]
    if absent:
        raise UserError(
            f"data: there is no example of {first_few(absent)} to train on, among the {sum(train)} "
            "of the training split",
            hint="Add examples, hold fewer or others out (data.validation, data.test, "
            "data.split_seed, data.fold), or leave the class out.",
        )


def _refuse_folds(there: Mapping[str, Sequence[int]], folds: int) -> None:
    """Raise UserError where the data have a test already, or some fold would have no example."""
    if "test" in there:
        raise UserError(
            "data.folds: the data have a test split of their own",
            hint="Leave out folds and fold, or the test split.",
        )
    if (count := sum(there["train"])) < folds:
        raise UserError(
            f"data.folds: {folds} folds of {count} examples", hint="Take as many at most."
        )


def _nothing_left(
    there: Sequence[int], made: Mapping[str, int], holdout: Holdout, groups: Array | None
) -> UserError:
    """Return the error that nothing, or not one example of each class, is left to train on."""
    total, classes = sum(there), sum(count > 0 for count in there)
    left = total - sum(made.values())
    listed = " and ".join(f"{count} for {name}" for name, count in made.items())
    return UserError(
        f"data: of {total} examples, {listed or 'all there are'}: "
        + (
            f"that leaves {left} to train on, and each of {classes} classes needs one"
            if left > 0
            else "none is left to train on"
        ),
        hint=_remedy(holdout, groups) if made else "",
    )


def _remedy(holdout: Holdout, groups: Array | None) -> str:
    """Return a hint for the case that no example is left to train on."""
    other = "raise data.folds" if holdout.folds else "lower data.test"
    if groups is None:
        return f"Lower data.validation, {other}, or add examples."
    ((_, largest),) = Counter(groups.tolist()).most_common(1)
    return (
        f"Groups are never divided, and data.groups makes {_group_count(groups)}, the largest of "
        f"{largest} examples. Lower data.validation, {other}, or make more and smaller groups."
    )
