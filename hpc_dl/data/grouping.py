"""Choice of groups to hold out, none of which is divided, so that the shares of the classes in the
splits come near. Light."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence

from hpc_dl.errors import UserError

Members = Mapping[int, "Counter[int]"]
"""Group → the number of its examples by class, in the order in which the groups were shuffled."""


def members(groups: Iterable[int], strata: Iterable[int]) -> Members:
    """Return the members of the groups, given the group and the class of each example."""
    found: dict[int, Counter[int]] = {}
    for group, stratum in zip(groups, strata, strict=True):
        found.setdefault(group, Counter())[stratum] += 1
    return found


def choose(groups: Members, there: Sequence[int], wanted: Sequence[int]) -> list[int]:
    """Return groups with about `wanted` examples of each class, of as many as are `there`.

    Each brings the numbers of the classes closer; then, where too few are held out in all, those
    and their sum together. The last training example of a class is taken only if no group could be
    taken else: there is one at least.
    """
    taken: dict[int, None] = {}
    left, missing = list(there), list(wanted)
    for weight in (0, 1):
        for group, counts in groups.items():
            nearer = _gain(counts, missing) + weight * _gain_of_sum(counts, missing) > 0
            if group not in taken and nearer and _leaves_some(counts, left):
                taken[group] = None
                for stratum, count in counts.items():
                    left[stratum] -= count
                    missing[stratum] -= count
    smallest = sorted(
        groups, key=lambda group: (not _leaves_some(groups[group], left), groups[group].total())
    )
    return list(taken) or smallest[:1]


def choose_fold(groups: Members, there: Sequence[int], folds: int, fold: int) -> list[int]:
    """Return the groups of a fold.

    The largest group first, each goes to the fold that has the smallest share of the same classes;
    of equal ones to the smallest.
    """
    if len(groups) < folds:
        raise UserError(
            f"data.folds: {folds} folds of {len(groups)} groups", hint="Take as many at most."
        )
    filled: list[Counter[int]] = [Counter() for _ in range(folds)]
    totals, chosen = [0] * folds, []
    for group in sorted(groups, key=lambda group: -groups[group].total()):
        counts = groups[group]
        costs = [
            sum(held[stratum] * count / there[stratum] ** 2 for stratum, count in counts.items())
            for held in filled
        ]
        best = min(range(folds), key=lambda it: (costs[it], totals[it]))
        filled[best].update(counts)
        totals[best] += counts.total()
        if best == fold:
            chosen.append(group)
    return chosen


def _gain(counts: Counter[int], missing: Sequence[int]) -> int:
    """Return by how much nearer to their number the classes come with a group."""
    return sum(abs(missing[it]) - abs(missing[it] - count) for it, count in counts.items())


def _gain_of_sum(counts: Counter[int], missing: Sequence[int]) -> int:
    total = sum(missing)
    return abs(total) - abs(total - counts.total())


def _leaves_some(counts: Counter[int], left: Sequence[int]) -> bool:
    """Return whether each class has examples left without a group."""
    return all(count < left[stratum] for stratum, count in counts.items())
