"""Hyperband with ASHA in its brackets (Li et al. 2018, arXiv:1603.06560; Li et al. 2020).

ASHA ends trials early that would have been good late. Hyperband hedges against that: each bracket
begins with longer parts than the one before, and the last one trains its trials to their end.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from hpc_dl.sweep.asha import Asha
from hpc_dl.sweep.goal import Goal
from hpc_dl.sweep.method import Method
from hpc_dl.sweep.trial import Result, Unit


class Hyperband(Method):
    """Brackets of ASHA. Bracket i has its first rung at `first_rung * eta**i` epochs.

    Of `epochs` in all; the first rung of the last bracket is not before that.
    """

    def __init__(
        self, trials: Sequence[int], goal: Goal, eta: int, first_rung: int, epochs: int
    ) -> None:
        rungs = [first_rung]
        while rungs[-1] < epochs:
            rungs.append(rungs[-1] * eta)
        members = divide(trials, sizes(len(rungs), eta))
        pairs = zip(members, rungs, strict=True)
        self.brackets = [Asha(it, goal, eta, rung) for it, rung in pairs]
        self._bracket_of = {trial: it for it in self.brackets for trial in it.trials}

    def pause_after(self, unit: Unit) -> int | None:
        return self._bracket_of[unit.trial].pause_after(unit)

    def promotions(self, results: Mapping[Unit, Result]) -> list[Unit]:
        return [unit for it in self.brackets for unit in it.promotions(results)]


def sizes(brackets: int, eta: int) -> list[int]:
    """Return the trials of each bracket, as in algorithm 1 of Li et al. 2018.

    With them all brackets take about the same time. There n = ceil((s_max + 1) / (s + 1) * eta^s)
    for s from s_max, which is `brackets - 1`, to 0.
    """
    return [-(-brackets * eta**s // (s + 1)) for s in reversed(range(brackets))]


def divide(trials: Sequence[int], weights: Sequence[int]) -> list[list[int]]:
    """Divide trials so that the first n, for any n, are divided by the weights as well as can be.

    Each goes where most are missing of the share; of equal ones, to the first. So trials that are
    added later move none.
    """
    parts: list[list[int]] = [[] for _ in weights]
    for count, trial in enumerate(trials, 1):
        missing = [
            weight * count - sum(weights) * len(part)
            for weight, part in zip(weights, parts, strict=True)
        ]
        parts[missing.index(max(missing))].append(trial)
    return parts
