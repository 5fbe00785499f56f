"""The results of a sweep: its configurations, each with mean and deviation over its seeds."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, NamedTuple, TypeVar

from hpc_dl.comparison.groups import Mean
from hpc_dl.sweep.folder import SweepDir
from hpc_dl.sweep.goal import Goal, is_better
from hpc_dl.sweep.progress import TrialProgress
from hpc_dl.sweep.trial import Result, Trial, Unit

T = TypeVar("T")
_COUNTED = ("completed", "paused", "pruned")


@dataclass(frozen=True)
class Configuration:
    """Trials with the same values, which differ in their seeds alone."""

    trials: tuple[TrialProgress, ...]

    @property
    def values(self) -> dict[str, Any]:
        return self.trials[0].trial.values

    @cached_property
    def measured(self) -> tuple[TrialProgress, ...]:
        """The trials whose value counts."""
        return tuple(it for it in self.trials if it.result and has_value(it.result))

    @cached_property
    def mean(self) -> Mean | None:
        """Mean and sample standard deviation of the measured trials; None without any."""
        return Mean.of([_value(it) for it in self.measured]) if self.measured else None

    @property
    def score(self) -> float | None:
        """The mean, once all trials are measured: by it configurations are compared."""
        is_whole = len(self.measured) == len(self.trials)
        return self.mean.mean if self.mean and is_whole else None

    def best(self, goal: Goal) -> TrialProgress:
        """Return the measured trial with the best value; there has to be one."""
        return min(self.measured, key=lambda it: _sign(goal) * _value(it))


class Best(NamedTuple):
    """The best score after so many results."""

    number: int
    score: float
    unit: Unit
    """The last of these results."""


def configurations(trials: Iterable[TrialProgress]) -> list[Configuration]:
    """Return the configurations in their order."""
    groups: dict[int, list[TrialProgress]] = {}
    for it in trials:
        groups.setdefault(it.trial.configuration, []).append(it)
    return [Configuration(tuple(group)) for group in groups.values()]


def ranked(trials: Iterable[TrialProgress], goal: Goal) -> list[Configuration]:
    """Return the configurations with a score, the best first; equal ones in their order."""
    scored = [it for it in configurations(trials) if it.score is not None]
    return sorted(scored, key=lambda it: _sign(goal) * (it.score or 0.0))


def table(sweep: SweepDir, metric: str, found: Sequence[Configuration]) -> list[list[str]]:
    """Return a header, and a row for each configuration with a mean: its runs, the value or the
    mean over its seeds, epochs, states, and the values of the swept options."""
    keys = list(dict.fromkeys(key for it in found for key in it.values))
    has_seeds = any(len(it.trials) > 1 for it in found)
    rows = [["run", metric, *(["seeds"] if has_seeds else []), "epochs", "state", *keys]]
    for it in found:
        runs = [sweep.run(one.trial.number).id for one in it.trials]
        epochs = [one.result.epoch for one in it.measured if one.result]
        row = [" … ".join(_ends(runs)), str(it.mean), *([str(len(it.measured))] * has_seeds)]
        row += ["–".join(map(str, _ends(sorted(epochs))))]
        row += [", ".join(dict.fromkeys(one.state for one in it.trials))]
        rows.append(row + [_shown(it.values.get(key, "")) for key in keys])
    return rows


def _ends(items: Sequence[T]) -> list[T]:
    return list(dict.fromkeys([items[0], items[-1]]))


def _shown(value: object) -> str:
    return f"{value:.4g}" if isinstance(value, float) else str(value)


def best_so_far(
    trials: Sequence[Trial], results: Mapping[Unit, Result], goal: Goal
) -> Iterator[Best]:
    """Yield the best score after each result with a value, in the order of the results.

    A configuration counts from the result on that gives the last of its trials a value.
    """
    of_trial = {it.number: it.configuration for it in trials}
    sizes: dict[int, int] = {}
    for configuration in of_trial.values():
        sizes[configuration] = sizes.get(configuration, 0) + 1
    values: dict[int, dict[int, float]] = {}
    best: float | None = None
    counted = (it for it in results if has_value(results[it]) and it.trial in of_trial)
    for number, unit in enumerate(counted, start=1):
        configuration = of_trial[unit.trial]
        known = values.setdefault(configuration, {})
        known[unit.trial] = results[unit].value or 0.0
        if len(known) == sizes[configuration]:
            score = Mean.of([*known.values()]).mean
            best = score if best is None or is_better(goal, score, best) else best
        if best is not None:
            yield Best(number, best, unit)


def has_value(result: Result) -> bool:
    """Return whether a result counts: a trial that has failed has no network to show."""
    is_measured = result.value is not None and math.isfinite(result.value)
    return is_measured and result.state in _COUNTED


def _value(it: TrialProgress) -> float:
    assert it.result is not None and it.result.value is not None
    return it.result.value


def _sign(goal: Goal) -> int:
    return 1 if goal == "minimize" else -1
