"""Choice of groups to hold out, none of which is divided, so that the shares of the classes in the
splits come near. Light."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from hpc_dl.errors import UserError

Members = Mapping[int, "Counter[int]"]
"""Group → the number of its examples by class, in the order in which the groups were shuffled."""


def members(groups: Iterable[int], strata: Iterable[int]) -> Members:
    """Return the members of the groups, given the group and the class of each example."""
    found: defaultdict[int, Counter[int]] = defaultdict(Counter)
    for group, stratum in zip(groups, strata, strict=True):
        found[group][stratum] += 1
    return found


def choose(groups: Members, there: Sequence[int], wanted: Sequence[int]) -> list[int]:
    """Return groups with about `wanted` examples of each class, of as many as are `there`.

    The last training example of a class is taken only if no group could be taken else: there is
    one at least.
    """
    split = _Split(list(there), list(wanted), sum(wanted))
    rare_first = sorted(groups, key=lambda group: min(there[it] for it in groups[group]))
    taken = [group for group in rare_first if split.take_for_classes(groups[group])]
    others = groups.keys() - taken
    taken += [it for it in groups if it in others and split.take_for_sum(groups[it])]
    if taken or not groups:
        return taken
    return [min(groups, key=lambda it: (not split.can_take(groups[it]), groups[it].total()))]


@dataclass
class _Split:
    """A split that is being filled with groups."""

    left: list[int]
    """The examples of each class that are not taken."""
    missing: list[int]
    """How many it still needs of each class; below 0 if it has too many."""
    short: int
    """How many it still needs in all."""

    def __post_init__(self) -> None:
        self.weights = [1 / (count or 1) for count in self.left]
        self.total = sum(self.left)
        self.absent = {it for it, count in enumerate(self.missing) if count}

    def take_for_classes(self, counts: Counter[int]) -> bool:
        """Take a group that brings the shares of the classes nearer, and is needed for its rarest;
        beyond the wanted sum only where a class is absent."""
        has_room = _nearer(self.short, counts.total()) > 0 or self.absent & counts.keys()
        rarest = max(counts, key=lambda it: self.weights[it])
        if not has_room or self.missing[rarest] <= 0:
            return False
        return self._gain(counts) > 0 and self._take(counts)

    def take_for_sum(self, counts: Counter[int]) -> bool:
        """Take a group that brings the sum nearer, by more than the shares of the classes lose."""
        share = _nearer(self.short, counts.total()) * len(self.weights) / self.total
        return share > 0 and self._gain(counts) + share > 0 and self._take(counts)

    def can_take(self, counts: Counter[int]) -> bool:
        """Return whether each class has examples left without a group."""
        return all(count < self.left[stratum] for stratum, count in counts.items())

    def _gain(self, counts: Counter[int]) -> float:
        """Return by how much the shares come nearer, summed over the classes."""
        return sum(self.weights[it] * _nearer(self.missing[it], counts[it]) for it in counts)

    def _take(self, counts: Counter[int]) -> bool:
        if not self.can_take(counts):
            return False
        self.short -= counts.total()
        self.absent -= counts.keys()
        for stratum, count in counts.items():
            self.left[stratum] -= count
            self.missing[stratum] -= count
        return True


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


def _nearer(missing: int, count: int) -> int:
    """Return by how much nearer to their number the examples come with so many more."""
    return abs(missing) - abs(missing - count)
