"""Results of recipes: read from the journals of their runs, and saved in a JSON file."""

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
class Result:
    """The metric of one check of a recipe, over all seeds."""

    recipe: str
    metric: str
    values: list[float]
    """One per seed, the mean over its cases."""
    goal: float | None
    at: str
    minutes: float
    """Mean training time of the runs."""
    device: str
    command: str

    @property
    def mean(self) -> float:
        return statistics.fmean(self.values)

    @property
    def deviation(self) -> float:
        """Return the standard deviation over the seeds; 0 for a single one."""
        return statistics.stdev(self.values) if len(self.values) > 1 else 0.0

    @property
    def met(self) -> bool | None:
        """Return whether the goal was met; None without a goal."""
        if self.goal is None:
            return None
        return self.mean >= self.goal if self.at == "least" else self.mean <= self.goal


def summarise(
    target: Target, runs: Sequence[Sequence[RunDir]], known: Mapping[tuple[str, str], Result]
) -> list[Result]:
    """Return the results of a target's runs, listed by seed; `known` are those of other recipes."""
    all_runs = [run for of_seed in runs for run in of_seed]
    minutes = statistics.fmean(_train_seconds(run) for run in all_runs) / 60
    return [
        Result(
            target.name,
            check.metric,
            [statistics.fmean(_value(run, check.metric) for run in of_seed) for of_seed in runs],
            _goal(check, all_runs, known),
            check.at,
            round(minutes, 2),
            _device(all_runs[0]),
            target.command,
        )
        for check in target.checks
    ]


def real_images(generated: Result, distance: float) -> Result:
    """Return the Fréchet distance of real images, with the same classifier as `generated`."""
    return replace(generated, metric="frechet of train and test", values=[distance], goal=None)


def load(file: Path) -> dict[tuple[str, str], Result]:
    """Return the results in a file by recipe and metric. Raises DamagedFile."""
    found = records.find(file, list[Result]) or []
    return {(it.recipe, it.metric): it for it in found}


def save(file: Path, found: Mapping[tuple[str, str], Result]) -> None:
    """Write the results to a file."""
    write_json(file, TypeAdapter(list[Result]).dump_python(list(found.values())))


def _goal(
    check: Check, runs: Sequence[RunDir], known: Mapping[tuple[str, str], Result]
) -> float | None:
    goals = [] if check.goal is None else [check.goal]
    for metric in check.baselines:
        goals.append(check.times * statistics.fmean(_value(run, metric) for run in runs))
    if check.goal_from is not None and (other := known.get((check.goal_from, check.metric))):
        goals.append(other.mean)
    strictest = max if check.at == "least" else min
    return strictest(goals, default=None)


def _events(run: RunDir, kind: str) -> list[dict[str, Any]]:
    return [event for event in journal.view(run.journal) if event["event"] == kind]


def _newest(run: RunDir, kind: str, field: str) -> Any:
    """Return a field of the newest event of a kind. Raises DamagedFile where there is none."""
    for event in reversed(_events(run, kind)):
        if event.get(field) is not None:
            return event[field]
    raise DamagedFile(run.journal, f"is damaged: it has no {kind} event with {field}")


def _value(run: RunDir, metric: str) -> float:
    for values in reversed([event["values"] for event in _events(run, "metrics")]):
        if metric in values:
            return float(values[metric])
    raise DamagedFile(run.journal, f"is damaged: it has no {metric}")


def _train_seconds(run: RunDir) -> float:
    """Return the training time of a run, without interruptions."""
    steps = max((event["step"] for event in _events(run, "metrics")), default=0)
    return float(steps * _newest(run, "summary", "seconds_per_step"))


def _device(run: RunDir) -> str:
    known, ranks = _newest(run, "started", "environment"), _newest(run, "started", "world_size")
    threads = "1 thread" if known.get("threads") == 1 else f"{known.get('threads')} threads"
    one = known.get("gpu") or f"{threads} of {known.get('cpu')}"
    return one if ranks == 1 else f"{ranks} x {one}"
