"""Choice of the examples for validation and test: a function of `data.split_seed`.

Light: the login node counts by it what a compute node will divide. The random numbers are of
numpy's legacy generator, whose stream never changes (NEP 19).
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np

from hpc_dl.data.counts import Holdout
from hpc_dl.errors import UserError

Array = np.ndarray[tuple[int, ...], np.dtype[Any]]


def positions(
    count: int, missing: Sequence[str], holdout: Holdout, groups: Array | None = None
) -> dict[str, Array]:
    """Return a partition of the positions of `count` examples: `train`, and each of
    `missing`, of `validation` and `test`.

    The test is chosen first, so that it does not change with the share of the validation.
    `groups` (count,) int64 says which examples are to stay together.
    """
    seed = np.random.SeedSequence([holdout.seed, count])
    random = np.random.RandomState(np.random.MT19937(seed))
    rest, wanted, taken = random.permutation(count), holdout.wanted(count), {}
    for name in ("test", "validation"):
        if name in missing:
            folds = holdout.folds if name == "test" else None
            chosen = _choose(rest, wanted[name], folds, holdout.fold, groups)
            taken[name], rest = rest[chosen], rest[~chosen]
    return {"train": rest, **taken}


def number_groups(values: Sequence[Any] | Array) -> Array:
    """Return a number for each different value, (N,) int64."""
    return np.unique(np.asarray(values), return_inverse=True)[1].reshape(-1)


def refuse_shared(
    train: Iterable[Any], others: Iterable[Any], split: str, where: str = "data.groups"
) -> None:
    """Raise UserError where a group is both in the training examples and in a given split."""
    if shared := sorted(map(str, set(train) & set(others))):
        raise UserError(
            f"{where}: {len(shared)} groups are both in train and in {split}, like '{shared[0]}'",
            hint="What belongs together has to be in one split.",
        )


def _choose(order: Array, wanted: int, folds: int | None, fold: int, groups: Array | None) -> Array:
    """Return a mask of the examples in `order` to hold out."""
    if groups is None:
        ordinal = np.arange(len(order))
        return ordinal % folds == fold if folds else ordinal < wanted
    inverse = groups[order]
    sizes = np.bincount(inverse)
    shuffled = inverse[np.sort(np.unique(inverse, return_index=True)[1])]
    kept = (
        _choose_fold(shuffled, sizes, folds, fold)
        if folds
        else _choose_groups(shuffled, sizes, wanted)
    )
    return np.isin(inverse, kept)


def _choose_groups(groups: Array, sizes: Array, wanted: int) -> list[int]:
    """Return groups of about `wanted` examples together: each that brings the sum closer to it."""
    taken: list[int] = []
    total = 0
    for group in groups.tolist():
        if abs(total + sizes[group] - wanted) < abs(total - wanted):
            taken.append(group)
            total += int(sizes[group])
    return taken or sorted(groups.tolist(), key=lambda group: sizes[group])[:1]


def _choose_fold(groups: Array, sizes: Array, folds: int, fold: int) -> list[int]:
    """Return the groups of a fold: the largest first, each goes to the smallest fold."""
    if len(groups) < folds:
        raise UserError(
            f"data.folds: {folds} folds of {len(groups)} groups", hint="Take as many at most."
        )
    filled: list[list[int]] = [[] for _ in range(folds)]
    totals = [0] * folds
    for group in sorted(groups.tolist(), key=lambda group: -sizes[group]):
        smallest = min(range(folds), key=lambda it: totals[it])
        filled[smallest].append(group)
        totals[smallest] += int(sizes[group])
    return filled[fold]
