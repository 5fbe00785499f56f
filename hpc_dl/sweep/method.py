"""The interface of a sweep's method: which unit comes next, and where it pauses."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Collection, Iterator, Mapping, Sequence

from hpc_dl.sweep.trial import Result, Trial, Unit


class Method(ABC):
    """A method of search. Which units are promoted depends on results alone, never on time."""

    @abstractmethod
    def promotions(self, results: Mapping[Unit, Result]) -> list[Unit]:
        """Return the units that results so far have promoted, taken ones too, in their order."""

    @abstractmethod
    def pause_after(self, unit: Unit) -> int | None:
        """Return the epochs after which a unit pauses; None where it trains to its end."""


class EveryTrial(Method):
    """Trains each trial to its end: grid, random, and a list of trials."""

    def promotions(self, results: Mapping[Unit, Result]) -> list[Unit]:
        return []

    def pause_after(self, unit: Unit) -> int | None:
        return None


def candidates(
    method: Method,
    trials: Sequence[Trial],
    taken: Collection[Unit],
    results: Mapping[Unit, Result],
) -> Iterator[Unit]:
    """Yield the units that may be taken now: promotions first, then new trials, in their order."""
    for unit in method.promotions(results):
        if unit not in taken:
            yield unit
    for trial in trials:
        if (unit := Unit(trial.number)) not in taken:
            yield unit
