"""Estimates from a dry run: size, speed, memory, and whether the time limit suffices."""

from __future__ import annotations

import math
import statistics
from dataclasses import dataclass

from rich.console import Console
from rich.text import Text

from hpc_dl.jobspec import units
from hpc_dl.planning.plan import Plan
from hpc_dl.run import journal
from hpc_dl.run.layout import RunDir


@dataclass(frozen=True)
class Estimate:
    """Measurements on the machine of the dry run, and the time that the job will take."""

    device: str
    parameters: int
    seconds_per_step: float
    seconds_per_evaluation: float
    peak_memory: int
    """In bytes, of one rank: on its GPU, or in main memory."""
    projected_seconds: float
    """Of all steps and evaluations of the job at this speed."""
    time_limit: int
    """In seconds, as the spec asks for."""
    warning: str


def measure(run: RunDir, trial: Plan, plan: Plan) -> Estimate:
    """Read the journal of a dry run by the plan `trial`, a short form of `plan`."""
    events = list(journal.view(run.journal))
    started = next(event for event in events if event["event"] == "started")
    summary = next(event for event in events if event["event"] == "summary")
    step = _seconds_per_step(events, trial)
    evaluation = _seconds_per_evaluation(events)
    projected = plan.steps * step + plan.epochs * evaluation
    return Estimate(
        device=started["device"],
        parameters=summary["parameters"],
        seconds_per_step=step,
        seconds_per_evaluation=evaluation,
        peak_memory=summary["peak_memory"],
        projected_seconds=projected,
        time_limit=plan.seconds,
        warning=warning(projected, plan),
    )


def _seconds_per_step(events: list[journal.Event], trial: Plan) -> float:
    """Return the median over the steps, without the first after each start, which warms up."""
    durations: list[float] = []
    is_warm = False
    for event in events:
        if event["event"] == "started":
            is_warm = False
        elif event["event"] == "metrics" and "train/examples_per_second" in event["values"]:
            step, speed = event["step"], event["values"]["train/examples_per_second"]
            examples = trial.examples_seen(step) - trial.examples_seen(step - 1)
            if is_warm or trial.steps == 1:
                durations.append(examples / speed)
            is_warm = True
    return statistics.median(durations)


def _seconds_per_evaluation(events: list[journal.Event]) -> float:
    """Return the longest time from the last report of an epoch to its validation metrics."""
    former, longest = events[0], 0.0
    for event in events:
        if event["event"] == "metrics":
            if any(name.startswith("val/") for name in event["values"]):
                longest = max(longest, event["t"] - former["t"])
            former = event
    return longest


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
    lines = {
        "parameters": f"{estimate.parameters:,}",
        "seconds per step": f"{estimate.seconds_per_step:.4f}, on {estimate.device}",
        "evaluation": f"{estimate.seconds_per_evaluation:.2f} s",
        "peak memory": f"{estimate.peak_memory / 2**20:,.0f} MiB of {where} memory per rank",
        "projected": f"{units.clock(math.ceil(estimate.projected_seconds))} of training at this "
        f"speed; the time limit is {units.clock(estimate.time_limit)}",
    }
    for name, value in lines.items():
        console.print(Text.assemble((f"{name:18}", "bold"), value), soft_wrap=True)
    if estimate.warning:
        console.print(Text(f"warning: {estimate.warning}", style="bold yellow"), soft_wrap=True)
