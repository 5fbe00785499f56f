"""ASHA, asynchronous successive halving (Li et al. 2020, arXiv:1810.05934, algorithm 2).

All trials train to the first rung, and the best of each rung go on to the next. In the paper a free
worker promotes by the results that it finds, so that what is promoted depends on time. Here the
results of a rung are looked at in a fixed order: once the first n of it are there, the best
floor(n / eta) of these n are promoted. So no task waits for a whole rung, and the same trials are
promoted whichever task trains what, and when.
"""

from __future__ import annotations

import bisect
import math
from collections.abc import Mapping, Sequence

from hpc_dl.sweep.goal import Goal
from hpc_dl.sweep.method import Method
from hpc_dl.sweep.trial import Result, Unit

_WORST = math.inf


class Asha(Method):
    """Promotes one trial of `eta` at each rung; the first is `first_rung` epochs from the start,
    and each of the others `eta` times as far. A trial trains to its end where that comes first."""

    def __init__(self, trials: Sequence[int], goal: Goal, eta: int, first_rung: int) -> None:
        self.trials, self.sign = trials, 1 if goal == "minimize" else -1
        self.eta, self.first_rung = eta, first_rung

    def pause_after(self, unit: Unit) -> int | None:
        return self.first_rung * int(self.eta**unit.rung)

    def promotions(self, results: Mapping[Unit, Result]) -> list[Unit]:
        """Return the units that results so far have promoted, those of the highest rung first."""
        found: list[Unit] = []
        order, rung, ended = self.trials, 0, set[int]()
        scores: dict[int, float] = {}
        while order:
            for trial in order:
                if result := results.get(Unit(trial, rung)):
                    scores[trial] = self._score(result)
                    ended |= {trial} if result.state == "completed" else set()
                elif trial not in ended:  # one that has ended keeps its score for further rungs
                    scores.pop(trial, None)
            order, rung = promoted(order, scores, self.eta), rung + 1
            found = [*(Unit(it, rung) for it in order if it not in ended), *found]
        return found

    def _score(self, result: Result) -> float:
        """Return a number that is lower for a better result."""
        value = result.value
        if result.state not in ("completed", "paused") or value is None or not math.isfinite(value):
            return _WORST
        return self.sign * value


def promoted(order: Sequence[int], scores: Mapping[int, float], eta: int) -> list[int]:
    """Return the trials that a rung promotes, in the order of their promotion.

    `order` is that in which the results are looked at, `scores` has those that are there, where
    lower is better; of equal ones, the trial of the lower number. Infinity is never promoted.
    """
    ranked: list[tuple[float, int]] = []
    found: dict[int, None] = {}
    for count, trial in enumerate(order, 1):
        if trial not in scores:
            break
        bisect.insort(ranked, new := (scores[trial], trial))
        if best := count // eta:
            last = ranked[best - 1]
            # No other one can have come to be among the best.
            for score, number in sorted({new, last}):
                if (score, number) <= last and score != _WORST:
                    found.setdefault(number)
    return list(found)
