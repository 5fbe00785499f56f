"""The result of a unit, read from the journal of its run."""

from __future__ import annotations

import contextlib
import math
from typing import cast, get_args

from hpc_dl.run import journal
from hpc_dl.run.journal import Event
from hpc_dl.run.layout import DamagedFile, RunDir
from hpc_dl.sweep.goal import Goal, is_better
from hpc_dl.sweep.trial import Result, State, Unit

_FAILED = ("failed", "timeout")


def read(run: RunDir, unit: Unit, metric: str, goal: Goal, job_id: str) -> Result | None:
    """Return the result of a unit that has ended; None if it is to go on, or was stopped.

    Steps that were trained again do not count. A damaged journal is a failure.
    """
    try:
        state, reason = journal.last_state(run.journal)
        if state in _FAILED:
            state = "failed"
        if state not in get_args(State):
            return None
        return _measured(run, unit, metric, goal).ended(cast(State, state), reason, job_id)
    except DamagedFile as error:
        return Result(unit.trial, unit.rung, "failed", reason=error.message, job_id=job_id)


def values_of(event: Event, metric: str) -> dict[int, float]:
    """Return the value of a metric in an event `metrics`, by the epoch that it was measured after;
    nothing where it is not there, or is not finite."""
    value, epoch = _numbers(event["values"]).get(metric), event.get("epoch")
    return {} if value is None or epoch is None else {epoch + 1: value}


def _measured(run: RunDir, unit: Unit, metric: str, goal: Goal) -> Result:
    best, step, epoch, seconds = math.nan, 0, 0, 0.0
    metrics: dict[str, float] = {}
    since: float | None = None
    for event in journal.view(run.journal):
        match event["event"]:
            case "started":
                since = event.get("t")
            case "metrics":
                values = _numbers(event.get("values") or {})
                metrics |= {key: it for key, it in values.items() if not key.startswith("train/")}
                if any(key.startswith("val/") for key in values):
                    epoch = event.get("epoch", 0) + 1
                value = values.get(metric, math.nan)
                if math.isnan(best) or is_better(goal, value, best):
                    best = value
            case "progress" | "saved":
                step = event["step"]
            case "state" if since is not None and event["state"] != "running":
                seconds, since = seconds + max(0.0, event["t"] - since), None
    value_or_none = None if math.isnan(best) else best
    return Result(
        unit.trial,
        unit.rung,
        "failed",
        value_or_none,
        step,
        epoch,
        round(seconds, 3),
        metrics=metrics,
    )


def _numbers(values: dict[str, object]) -> dict[str, float]:
    found = {}
    for key, it in values.items():
        with contextlib.suppress(TypeError, ValueError):
            found[key] = float(it)  # type: ignore[arg-type]
    return {key: it for key, it in found.items() if math.isfinite(it)}
