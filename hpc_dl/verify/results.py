"""What recipes have reached: from the journals of their runs to a table that is kept."""

from __future__ import annotations

import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from pydantic import TypeAdapter

from hpc_dl.run import journal, records
from hpc_dl.run.layout import DamagedFile, RunDir, write_json
from hpc_dl.verify.targets import Check, Target


@dataclass(frozen=True)
class Reached:
    """What came of one check of a recipe."""

    recipe: str
    metric: str
    values: list[float]
    """One a seed: the mean over its cases."""
    goal: float | None
    at: str
    minutes: float
    """Of training, on average over the runs."""
    device: str
    command: str

    @property
    def mean(self) -> float:
        return statistics.fmean(self.values)

    @property
    def deviation(self) -> float:
        """The standard deviation over the seeds; 0 of a single one."""
        return statistics.stdev(self.values) if len(self.values) > 1 else 0.0

    @property
    def met(self) -> bool | None:
        """Whether the goal was met; None where nothing is asked."""
        if self.goal is None:
            return None
        return self.mean >= self.goal if self.at == "least" else self.mean <= self.goal


def judge(
    target: Target, runs: Sequence[Sequence[RunDir]], before: Mapping[tuple[str, str], Reached]
) -> list[Reached]:
    """What came of a target's runs, seed by seed; `before` is what is known of other recipes."""
    every = [run for of_seed in runs for run in of_seed]
    minutes = statistics.fmean(_seconds(run) for run in every) / 60
    return [
        Reached(
            target.name,
            check.metric,
            [statistics.fmean(_value(run, check.metric) for run in of_seed) for of_seed in runs],
            _goal(check, before),
            check.at,
            round(minutes, 2),
            _device(every[0]),
            target.command,
        )
        for check in target.checks
    ]


def floor(beside: Reached, distance: float) -> Reached:
    """The Fréchet distance of real images, beside what was reached by the same judge."""
    return replace(beside, metric="frechet of train and test", values=[distance], goal=None)


def load(file: Path) -> dict[tuple[str, str], Reached]:
    """What is kept in a file, by recipe and metric. Raises DamagedFile."""
    kept = records.find(file, list[Reached]) or []
    return {(it.recipe, it.metric): it for it in kept}


def keep(file: Path, found: Mapping[tuple[str, str], Reached]) -> None:
    """Write down all that is known."""
    write_json(file, TypeAdapter(list[Reached]).dump_python(list(found.values())))


def _goal(check: Check, before: Mapping[tuple[str, str], Reached]) -> float | None:
    if check.as_of is None:
        return check.goal
    other = before.get((check.as_of, check.metric))
    return other.mean if other else None


def _events(run: RunDir, kind: str) -> list[dict[str, Any]]:
    return [event for event in journal.view(run.journal) if event["event"] == kind]


def _newest(run: RunDir, kind: str, field: str) -> Any:
    """A field of the newest event of a kind. Raises DamagedFile where the journal has none."""
    for event in reversed(_events(run, kind)):
        if event.get(field) is not None:
            return event[field]
    raise DamagedFile(run.journal, f"is damaged: it has no {kind} event with {field}")


def _value(run: RunDir, metric: str) -> float:
    said = [event["values"] for event in _events(run, "metrics")]
    for values in reversed(said):
        if metric in values:
            return float(values[metric])
    raise DamagedFile(run.journal, f"is damaged: it has no {metric}")


def _seconds(run: RunDir) -> float:
    """How long a run has trained, however often it was interrupted."""
    steps = max((event["step"] for event in _events(run, "metrics")), default=0)
    return float(steps * _newest(run, "summary", "seconds_per_step"))


def _device(run: RunDir) -> str:
    known, ranks = _newest(run, "started", "environment"), _newest(run, "started", "world_size")
    threads = "1 thread" if known.get("threads") == 1 else f"{known.get('threads')} threads"
    one = known.get("gpu") or f"{threads} of {known.get('cpu')}"
    return one if ranks == 1 else f"{ranks} x {one}"
