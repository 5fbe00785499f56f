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
    train: Sequence[int],
    there: Sequence[int],
    classes: Sequence[str],
    include: Collection[str],
    groups: Array | None = None,
) -> None:
    """Raise UserError where the training split has no example of some class, of as many as are
    `there`; of the classes to `include` alone, where there are any."""
    counted = zip(classes, train, there, strict=True)
    wanted = set(include or classes)
    absent = {name: count for name, left, count in counted if name in wanted and not left}
    if absent:
        shown = [f"'{it}' ({n} in all)" if n else f"'{it}'" for it, n in absent.items()]
        raise UserError(
            f"data: there is no example of {first_few(shown)} to train on, among the {sum(train)} "
            "of the training split",
            hint=_remedy_of_classes(any(absent.values()), groups),
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
        hint=_remedy(holdout, wanted, groups) if wanted else "",
    )


def _remedy_of_classes(are_held_out: bool, groups: Array | None) -> str:
    """Return a hint for the case that no example of a class is left to train on."""
    ways = ["Add examples"]
    if are_held_out:
        shares = "data.validation, data.test, data.split_seed, data.fold"
        ways.append(f"hold fewer or others out ({shares})")
        ways += ["make more and smaller groups"] if groups is not None else []
    return f"{', '.join(ways)}, or leave the class out."


def _remedy(holdout: Holdout, wanted: Collection[str], groups: Array | None) -> str:
    """Return a hint for the case that no example is left to train on."""
    ways = ["Lower data.validation"] if "validation" in wanted else []
    if "test" in wanted and holdout.folds:
        ways.append("raise data.folds")
    elif "test" in wanted and holdout.test != type(holdout).test:  # else there may be no option
        ways.append("lower data.test")
    if groups is None:
        return _any_of(*ways, "add examples")
    sizes = Counter(groups.tolist())
    most = max(sizes.values())
    there = "there is 1" if len(sizes) == 1 else f"there are {len(sizes)}"
    about = f"Groups are never divided, and {there}, the largest of {most} examples."
    if len(sizes) <= len(wanted):
        return f"{about} Each split needs one: make {len(wanted) + 1} groups or more."
    return f"{about} {_any_of(*ways, 'make more and smaller groups')}"


def _any_of(*ways: str) -> str:
    """Return a sentence of what may be done."""
    *first, last = ways
    text = f"{', '.join(first)}, or {last}" if first else last
    return f"{text[0].upper()}{text[1:]}."
