"""Sizes of the splits, as the plan shows and the training gets them. Light."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from hpc_dl.errors import UserError
from hpc_dl.jobspec.data import Data

if TYPE_CHECKING:
    from hpc_dl.data.holdout import Array

TEST = 0.1
"""Share of the examples for the test, where a source has no option for it."""


@dataclass(frozen=True)
class Holdout:
    """Shares of the training examples to hold out; `hpc_dl.data.holdout` chooses which ones."""

    validation: float = 0.1
    test: float = TEST
    seed: int = 0
    folds: int | None = None
    fold: int = 0

    @classmethod
    def of(cls, source: Data) -> Holdout:
        """Return what a source's options say."""
        has_key = "test" in type(source).model_fields  # a user's function may have such an option
        test = getattr(source, "test", TEST) if has_key else TEST
        return cls(source.validation, test, source.split_seed, source.folds, source.fold or 0)

    def wanted(self, count: int) -> dict[str, int]:
        """Return how many of `count` examples to hold out, where they are in no groups."""
        tested = round(count * self.test)
        if self.folds:
            tested = len(range(self.fold, count, self.folds))
        return {"validation": round(count * self.validation), "test": tested}


def group_count(groups: Array | None) -> int:
    """Return the number of groups, which count from 0; 0 without groups."""
    return 0 if groups is None else int(groups.max()) + 1


def split_counts(
    there: Mapping[str, int], holdout: Holdout, groups: Array | None = None
) -> tuple[int, int, int]:
    """Return the sizes of train, validation and test, given those of the splits of a source.

    A split that the source does not have is taken from its training examples, of which `groups`
    says which belong together. Raises UserError where none would be left to train on.
    """
    if holdout.folds:
        _refuse_folds(there, holdout.folds)
    missing = [name for name in ("validation", "test") if name not in there]
    made = {name: holdout.wanted(there["train"])[name] for name in missing}
    if groups is not None and missing:
        from hpc_dl.data.holdout import positions

        taken = positions(len(groups), missing, holdout, groups)
        made = {name: len(taken[name]) for name in missing}
    train = there["train"] - sum(made.values())
    if train < 1:
        listed = " and ".join(f"{count} for {name}" for name, count in made.items())
        raise UserError(
            f"data: of {there['train']} examples, {listed or 'all there are'}: "
            "none is left to train on",
            hint=_remedy(holdout, groups) if made else "",
        )
    sizes = {**there, **made}
    return train, sizes["validation"], sizes["test"]


def _refuse_folds(there: Mapping[str, int], folds: int) -> None:
    """Raise UserError where the data have a test already, or some fold would have no example."""
    if "test" in there:
        raise UserError(
            "data.folds: the data have a test split of their own",
            hint="Leave out folds and fold, or the test split.",
        )
    if there["train"] < folds:
        raise UserError(
            f"data.folds: {folds} folds of {there['train']} examples", hint="Take as many at most."
        )


def _remedy(holdout: Holdout, groups: Array | None) -> str:
    """Return a hint for the case that no example is left to train on."""
    other = "raise data.folds" if holdout.folds else "lower data.test"
    if groups is None:
        return f"Lower data.validation, {other}, or add examples."
    ((_, largest),) = Counter(groups.tolist()).most_common(1)
    return (
        f"Groups are never divided, and data.groups makes {group_count(groups)}, the largest of "
        f"{largest} examples. Lower data.validation, {other}, or make more and smaller groups."
    )
