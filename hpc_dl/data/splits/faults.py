"""Errors of splits that leave nothing to train on, in all or of a class. Light."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from typing import TYPE_CHECKING

from hpc_dl.errors import UserError, first_few

if TYPE_CHECKING:
    from hpc_dl.data.splits.counts import Holdout
    from hpc_dl.data.splits.holdout import Array


def refuse_untrained(
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


def refuse_folds(there: Mapping[str, Sequence[int]], folds: int) -> None:
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


def nothing_left(
    there: Sequence[int], wanted: Mapping[str, int], holdout: Holdout, groups: Array | None
) -> UserError:
    """Return the error that nothing, or not one example of each class, is left to train on."""
    total, classes = sum(there), sum(count > 0 for count in there)
    left = total - sum(wanted.values())
    listed = " and ".join(f"{count} for {name}" for name, count in wanted.items())
    return UserError(
        f"data: of {total} examples, {listed or 'all there are'}: "
        + (
            f"that leaves {left} to train on, and each of {classes} classes needs one"
            if left > 0
            else "none is left to train on"
        ),
        hint=_remedy(holdout, groups) if wanted else "",
    )


def _remedy(holdout: Holdout, groups: Array | None) -> str:
    """Return a hint for the case that no example is left to train on."""
    other = "raise data.folds" if holdout.folds else "lower data.test"
    if groups is None:
        return f"Lower data.validation, {other}, or add examples."
    sizes = Counter(groups.tolist())
    return (
        f"Groups are never divided, and data.groups makes {len(sizes)}, the largest of "
        f"{max(sizes.values())} examples. Lower data.validation, {other}, or make more and "
        "smaller groups."
    )
