"""Choice of the examples for validation and test: a function of `data.split_seed`.

Light: the login node counts by it what a compute node will divide. The random numbers are of
numpy's legacy generator, whose stream never changes (NEP 19).
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from typing import Any

import numpy as np

from hpc_dl.data.splits import grouping
from hpc_dl.data.splits.counts import Holdout
from hpc_dl.data.splits.strata import apportion
from hpc_dl.errors import UserError

Array = np.ndarray[tuple[int, ...], np.dtype[Any]]


def positions(
    count: int,
    missing: Collection[str],
    holdout: Holdout,
    groups: Array | None = None,
    labels: Array | None = None,
) -> dict[str, Array]:
    """Return a partition of the positions of `count` examples: `train`, and each of
    `missing`, of `validation` and `test`.

    The test is chosen first, so that it does not change with the share of the validation.
    `groups` (count,) int64 says which examples are to stay together, `labels` (count,) int64 their
    classes, each of which is divided in proportion. Without stratification all are of one class.
    """
    seed = np.random.SeedSequence([holdout.seed, count])
    random = np.random.RandomState(np.random.MT19937(seed))
    rest, wanted, taken = random.permutation(count), holdout.wanted(count), {}
    if labels is None or not holdout.stratify:
        labels = np.zeros(count, np.int64)
    for name in ("test", "validation"):
        if name in missing:
            folds = holdout.folds if name == "test" else None
            if groups is None:
                chosen = _choose(labels[rest], wanted[name], folds, holdout.fold)
            else:
                among = groups[rest]
                kept = _choose_groups(among, labels[rest], wanted[name], folds, holdout.fold)
                chosen = np.isin(among, kept)
            taken[name], rest = rest[chosen], rest[~chosen]
    return {"train": rest, **taken}


def number_groups(values: Sequence[Any] | Array) -> Array:
    """Return a number for each different value, (N,) int64."""
    return np.unique(np.asarray(values), return_inverse=True)[1].reshape(-1)


def refuse_shared(
    train: Iterable[Any], others: Iterable[Any], split: str, where: str = "data.groups"
) -> None:
    """Raise UserError where a group is both in the training examples and in a given split."""
    if shared := sorted(set(map(str, train)) & set(map(str, others))):
        of = "group is" if len(shared) == 1 else "groups are"
        raise UserError(
            f"{where}: {len(shared)} {of} both in train and in {split}, like '{shared[0]}'",
            hint="What belongs together has to be in one split.",
        )


def _choose(strata: Array, wanted: int, folds: int | None, fold: int) -> Array:
    """Return a mask of the examples to hold out, given the class of each in shuffled order."""
    by_class = np.argsort(strata, kind="stable")
    place = np.arange(len(strata))
    if folds:
        dealt = place % folds == fold
    else:
        counts = np.bincount(strata)
        quotas = np.array(apportion(counts.tolist(), wanted))
        dealt = place - np.repeat(np.cumsum(counts) - counts, counts) < np.repeat(quotas, counts)
    chosen = np.empty(len(strata), bool)
    chosen[by_class] = dealt
    return chosen


def _choose_groups(
    groups: Array, strata: Array, wanted: int, folds: int | None, fold: int
) -> list[int]:
    """Return the groups to hold out, given group and class of each example in shuffled order."""
    members, there = grouping.members(groups.tolist(), strata.tolist()), np.bincount(strata)
    if folds:
        return grouping.choose_fold(members, there.tolist(), folds, fold)
    return grouping.choose(members, there.tolist(), apportion(there.tolist(), wanted))
