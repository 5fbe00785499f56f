"""Forecast of a job from a rehearsal: speed, memory, and whether the time limit suffices.

The rehearsal times steps in blocks, evaluations and pictures, several of each, and leaves out the
first, which warms up. What is left of its time is that of the start and the end, which every job
has once.
"""

from __future__ import annotations

import math
import statistics
from collections.abc import Sequence
from dataclasses import dataclass

from rich.console import Console
from rich.text import Text

from hpc_dl.jobspec import units
from hpc_dl.planning.plan import Plan
from hpc_dl.run import journal
from hpc_dl.run.layout import RunDir

STEADY_SECONDS = 4.0
"""How long the rehearsal trains to measure steady steps."""
EVALUATIONS = 3
"""Of the rehearsal, the first of which warms up."""


@dataclass(frozen=True)
class Estimate:
    """Measurements on the machine of the dry run, and the time that the job will take."""

    device: str
    parameters: int
    seconds_per_step: float
    seconds_per_evaluation: float
    seconds_per_drawing: float
    """Of the pictures, drawn after epochs 1, 2, 4, 8, ..."""
    seconds_of_start_and_end: float
    """From the submission to the first step; of tests and export, and of what only warms up."""
    peak_memory: int
    """In bytes, of one rank: on its GPU, or in main memory."""
    projected_seconds: float
    """Of the job at this speed, without waiting in a queue."""
    projected_range: tuple[float, float]
    """The same at the speed of the fastest and of the slowest steps that were measured."""
    time_limit: int
    """In seconds, as the spec asks for."""
    warning: str


@dataclass(frozen=True)
class _Times:
    """What the last attempt of a rehearsal took, in seconds, in the order of time."""

    blocks: Sequence[tuple[int, float]]
    """Steps, and how long they took together."""
    evaluations: Sequence[float]
    drawings: Sequence[float]
    end: float
    """When it was completed, since 1970."""


def measure(run: RunDir, trial: Plan, plan: Plan, begun: float) -> Estimate:
    """Read the journal of a rehearsal by the plan `trial`, a short form of `plan`, whose last
    attempt was submitted at the time `begun`."""
    events = list(journal.view(run.journal))
    started = next(event for event in reversed(events) if event["event"] == "started")
    summary = next(event for event in events if event["event"] == "summary")
    times = _times(events, trial)
    steady = times.blocks[1:] or times.blocks
    steps, seconds = map(sum, zip(*steady, strict=True))
    step, paces = seconds / steps, [seconds / steps for steps, seconds in steady]
    evaluation, drawing = _steady(times.evaluations), _steady(times.drawings)
    known = sum(steps for steps, _ in times.blocks) * step
    known += len(times.evaluations) * evaluation + len(times.drawings) * drawing
    once = max(0.0, times.end - begun - known)
    drawn = plan.epochs.bit_length() if drawing else 0
    rest = once + plan.epochs * evaluation + drawn * drawing
    projected = plan.steps * step + rest
    return Estimate(
        device=started["device"],
        parameters=summary["parameters"],
        seconds_per_step=step,
        seconds_per_evaluation=evaluation,
        seconds_per_drawing=drawing,
        seconds_of_start_and_end=once,
        peak_memory=summary["peak_memory"],
        projected_seconds=projected,
        projected_range=(plan.steps * min(paces) + rest, plan.steps * max(paces) + rest),
        time_limit=plan.seconds,
        warning=warning(projected, plan),
    )


def steady_length(run: RunDir, trial: Plan) -> tuple[int, int]:
    """Return the steps that take STEADY_SECONDS, after the few that a rehearsal has taken, and the
    steps between two evaluations of these."""
    blocks = _times(list(journal.view(run.journal)), trial).blocks
    pace = min(seconds / steps for steps, seconds in blocks[1:] or blocks)
    steps = max(len(blocks), round(STEADY_SECONDS / pace))
    return steps, math.ceil(steps / EVALUATIONS)


def _steady(seconds: Sequence[float]) -> float:
    """Return the mean without the first, if there are others; 0 of nothing."""
    return statistics.mean(seconds[1:] or seconds or [0.0])


def _times(events: Sequence[journal.Event], trial: Plan) -> _Times:
    since = max(number for number, event in enumerate(events) if event["event"] == "started")
    blocks, evaluations, drawings = [], [], list[float]()
    former, measured, step = events[since], 0.0, events[since]["step"]
    for event in events[since:]:
        values = event.get("values", {}) if event["event"] == "metrics" else {}
        if "train/examples_per_second" in values:
            examples = trial.examples_seen(event["step"]) - trial.examples_seen(step)
            blocks.append((event["step"] - step, examples / values["train/examples_per_second"]))
            step = event["step"]
        elif any(name.startswith("val/") for name in values):
            evaluations.append(event["t"] - former["t"])
            measured = event["t"]
            drawings.append(0.0)
        elif event["event"] == "artifact" and drawings:
            drawings[-1] = event["t"] - measured
        elif event["event"] == "state" and blocks:
            break  # trained; what follows is the end
        if event["event"] in ("metrics", "artifact"):
            former = event
    end = next(event["t"] for event in reversed(events) if event["event"] == "state")
    return _Times(blocks, evaluations, [it for it in drawings if it], end)


def warning(seconds: float, plan: Plan) -> str:
    """Warn of a job that exceeds its time limit; say whether requeues complete it."""
    if seconds <= plan.seconds:
        return ""
    parts = math.ceil(seconds / plan.seconds)
    limit = units.clock(plan.seconds)
    if parts - 1 <= plan.requeues:
        return f"longer than the time limit of {limit}: about {parts} jobs, one after the other"
    hint = "raise resources.time, or train for less"
    return f"does not fit into the time limit of {limit}: {hint}"


def show(estimate: Estimate, console: Console) -> None:
    """Print the estimate for people."""
    where = "GPU" if estimate.device.startswith("cuda") else "main"
    low, high = (units.clock(math.ceil(it)) for it in estimate.projected_range)
    lines = {
        "parameters": f"{estimate.parameters:,}",
        "seconds per step": f"{estimate.seconds_per_step:.4g}, on {estimate.device}",
        "evaluation": f"{estimate.seconds_per_evaluation:.2f} s",
        "pictures": f"{estimate.seconds_per_drawing:.2f} s, after epochs 1, 2, 4, 8, ...",
        "start and end": f"{estimate.seconds_of_start_and_end:.0f} s",
        "peak memory": f"{estimate.peak_memory / 2**20:,.0f} MiB of {where} memory per rank",
        "projected": f"{units.clock(math.ceil(estimate.projected_seconds))}; {low} to {high} by "
        f"the fastest and slowest steps; the time limit is {units.clock(estimate.time_limit)}",
    }
    for name, value in lines.items():
        console.print(Text.assemble((f"{name:18}", "bold"), value), soft_wrap=True)
    if estimate.warning:
        console.print(Text(f"warning: {estimate.warning}", style="bold yellow"), soft_wrap=True)
