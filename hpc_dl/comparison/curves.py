"""Curves of a run: its losses and the monitored metric, step by step; and means of several."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from hpc_dl.comparison.groups import Mean
from hpc_dl.run import journal
from hpc_dl.run.layout import RunDir

Curve = dict[int, float]
"""Values by step."""


class Band(NamedTuple):
    """Mean and sample standard deviation at each step."""

    steps: list[int]
    means: list[float]
    deviations: list[float]


def read(run: RunDir) -> dict[str, Curve]:
    """Return the curves by metric, such as `train/loss`; without steps that were trained again.

    Raises DamagedFile where the journal cannot be read.
    """
    found: dict[str, Curve] = {}
    monitored = ""
    for event in journal.view(run.journal):
        if event["event"] == "started":
            monitored = f"val/{event.get('monitor')}"
        elif event["event"] == "metrics":
            for name, value in (event.get("values") or {}).items():
                if _is_shown(name, monitored):
                    found.setdefault(name, {})[event["step"]] = _number(value)
    return found


def of_metric(run: RunDir, name: str) -> Curve:
    """Return the curve of one metric alone, which takes less time. Raises DamagedFile."""
    points: list[tuple[int, int, float]] = []
    for event, start, _ in journal.read(run.journal, kinds=("started", "metrics")):
        if event["event"] == "started":
            if isinstance(cut := event.get("cut"), int):  # what follows was trained again
                points = [it for it in points if it[0] < cut]
        elif (value := (event.get("values") or {}).get(name)) is not None:
            points.append((start, event["step"], _number(value)))
    return {step: value for _, step, value in points if math.isfinite(value)}


def _is_shown(name: str, monitored: str) -> bool:
    split, _, metric = name.partition("/")
    is_loss = metric.rpartition("/")[2] == "loss"  # of each player, where there are several
    return name == monitored or (is_loss and split in ("train", "val"))


def _number(value: Any) -> float:
    try:
        return float(value)
    except ValueError:
        return math.nan


def names(curves: Sequence[Mapping[str, Curve]]) -> list[str]:
    """Return the names of all metrics: losses first, those of the training before others."""
    found = {name for one in curves for name in one}
    return sorted(found, key=lambda it: (not it.endswith("loss"), not it.startswith("train/"), it))


def band(curves: Sequence[Curve]) -> Band:
    """Return the mean of several curves, at the steps that all of them have."""
    steps = sorted(set[int].intersection(*map(set, curves)))
    means = [Mean.of([curve[step] for curve in curves]) for step in steps]
    return Band(steps, [it.mean for it in means], [it.deviation for it in means])
