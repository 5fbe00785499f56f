"""Groups of runs that differ in their seeds alone, and what differs between groups."""

from __future__ import annotations

import json
import math
import statistics
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from hpc_dl.comparison.results import RunResult


class Mean(NamedTuple):
    """Mean of some runs, and their sample standard deviation, which is 0 for a single one;
    NaN where one of them is not finite."""

    mean: float
    deviation: float
    n: int

    @classmethod
    def of(cls, values: Sequence[float]) -> Mean:
        if not all(map(math.isfinite, values)):
            return cls(math.nan, math.nan, len(values))
        spread = statistics.stdev(values) if len(values) > 1 else 0.0
        return cls(statistics.fmean(values), spread, len(values))

    def __str__(self) -> str:
        return f"{self.mean:.4g}" + (f" ± {self.deviation:.2g}" if self.n > 1 else "")


@dataclass(frozen=True)
class Group:
    """Runs with the same options and different seeds."""

    results: tuple[RunResult, ...]

    @property
    def options(self) -> dict[str, Any]:
        return self.results[0].options

    @property
    def ids(self) -> list[str]:
        return [result.run.id for result in self.results]

    @cached_property
    def tested(self) -> tuple[RunResult, ...]:
        return tuple(result for result in self.results if result.test)

    def seeds(self, name: str) -> list[int]:
        """Return the different values of a seed, in order."""
        return sorted({it.seeds[name] for it in self.results if name in it.seeds})

    def mean(self, metric: str) -> Mean | None:
        """Return the mean of a test metric; None where no run has it."""
        values = [it.test[metric] for it in self.tested if metric in it.test]
        return Mean.of(values) if values else None


def group(results: Iterable[RunResult]) -> tuple[list[Group], list[str]]:
    """Return the runs in groups, and notes on what is left out, or may mislead.

    Of runs with the same options and seeds, which are no repetitions, the newest that was tested
    counts, else the newest.
    """
    by_options: dict[str, list[RunResult]] = {}
    for result in results:
        by_options.setdefault(json.dumps(result.options, sort_keys=True), []).append(result)
    groups, notes = list[Group](), list[str]()
    for members in by_options.values():
        newest: dict[str, RunResult] = {}
        for result in sorted(members, key=lambda it: bool(it.test)):  # the order stays otherwise
            newest[json.dumps(result.seeds, sort_keys=True)] = result
        kept = [result for result in members if result in newest.values()]
        for result in members:
            if result not in kept:
                same = newest[json.dumps(result.seeds, sort_keys=True)]
                notes.append(
                    f"{result.run.id} is left out: {same.run.id} has the same options and seeds"
                )
        groups.append(Group(tuple(kept)))
        notes += _other_data(kept)
    return groups, notes


def _other_data(results: Sequence[RunResult]) -> list[str]:
    """Name the runs of a group whose data were others, although their options are the same."""
    first, notes = results[0], []
    for other in results[1:]:
        if first.data and other.data and (what := first.data.difference(other.data)):
            notes.append(f"{other.run.id} had other data than {first.run.id}: {what}")
    return notes


def differing(groups: Sequence[Group]) -> list[str]:
    """Return the names of the options that differ between groups.

    An option that only some have is left out where another `name` explains that: a dense network
    has no `model.kernel`.
    """
    names = dict.fromkeys(name for group in groups for name in group.options)
    return [name for name in names if _differs(name, groups)]


def _differs(name: str, groups: Sequence[Group]) -> bool:
    having = [group for group in groups if name in group.options]
    if len({json.dumps(group.options[name]) for group in having}) > 1:
        return True
    return len(having) < len(groups) and not _is_explained(name, groups)


def _is_explained(name: str, groups: Sequence[Group]) -> bool:
    """Return whether exactly the groups with some `name`s of a section have the option."""
    section = name
    while section := section.rpartition(".")[0]:
        key = f"{section}.name"
        with_it = {group.options.get(key) for group in groups if name in group.options}
        without = {group.options.get(key) for group in groups if name not in group.options}
        if key != name and not with_it & without:
            return True
    return False


def varied_seeds(groups: Sequence[Group]) -> list[str]:
    """Return the seeds of which some group has several values."""
    names = dict.fromkeys(name for group in groups for it in group.results for name in it.seeds)
    return [name for name in names if any(len(group.seeds(name)) > 1 for group in groups)]


def differing_seeds(groups: Sequence[Group]) -> list[str]:
    """Return the seeds of which the groups have different values."""
    names = dict.fromkeys(name for group in groups for it in group.results for name in it.seeds)
    return [name for name in names if len({tuple(group.seeds(name)) for group in groups}) > 1]


def metrics(groups: Sequence[Group]) -> list[str]:
    """Return the names of all test metrics."""
    return list(dict.fromkeys(name for it in groups for one in it.tested for name in one.test))
