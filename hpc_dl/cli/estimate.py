"""What a rehearsal says about the job: its size, its pace, and whether the time will do."""

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
class Forecast:
    """Measured on the machine of the rehearsal, and what follows for the job."""

    device: str
    parameters: int
    seconds_per_step: float
    seconds_per_evaluation: float
    peak_memory: int
    """Bytes that a rank has held: on its GPU, or of main memory."""
    projected_seconds: float
    """All steps and evaluations of the job at this pace."""
    time_limit: int
    """Seconds that the spec asks for."""
    warning: str


def measure(run: RunDir, trial: Plan, plan: Plan) -> Forecast:
    """Read the journal of the rehearsal of `trial`, a short form of `plan`."""
    events = list(journal.view(run.journal))
    started = next(event for event in events if event["event"] == "started")
    summary = next(event for event in events if event["event"] == "summary")
    step = _seconds_per_step(events, trial)
    evaluation = _seconds_per_evaluation(events)
    projected = plan.steps * step + plan.epochs * evaluation
    return Forecast(
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
    """The median over the steps, but for the first after each start, which warms up."""
    paces: list[float] = []
    warm = False
    for event in events:
        if event["event"] == "started":
            warm = False
        elif event["event"] == "metrics" and "train/examples_per_second" in event["values"]:
            step, pace = event["step"], event["values"]["train/examples_per_second"]
            examples = trial.examples_seen(step) - trial.examples_seen(step - 1)
            if warm or trial.steps == 1:
                paces.append(examples / pace)
            warm = True
    return statistics.median(paces)


def _seconds_per_evaluation(events: list[journal.Event]) -> float:
    """From the last report of an epoch to its held-out metrics."""
    former, longest = events[0], 0.0
    for event in events:
        if event["event"] == "metrics":
            if any(name.startswith("val/") for name in event["values"]):
                longest = max(longest, event["t"] - former["t"])
            former = event
    return longest


def warning(seconds: float, plan: Plan) -> str:
    """Whether the job will be cut off, and what its requeues do about it."""
    if seconds <= plan.seconds:
        return ""
    parts = math.ceil(seconds / plan.seconds)
    limit = units.clock(plan.seconds)
    if parts - 1 <= plan.requeues:
        return f"longer than the time limit of {limit}: about {parts} jobs, one after the other"
    hint = "raise resources.time, or train for less"
    return f"does not fit into the time limit of {limit}: {hint}"


def show(forecast: Forecast, console: Console) -> None:
    """Print the forecast for people."""
    where = "GPU" if forecast.device.startswith("cuda") else "main"
    lines = {
        "parameters": f"{forecast.parameters:,}",
        "seconds per step": f"{forecast.seconds_per_step:.4f}, on {forecast.device}",
        "evaluation": f"{forecast.seconds_per_evaluation:.2f} s",
        "peak memory": f"{forecast.peak_memory / 2**20:,.0f} MiB of {where} memory per rank",
        "projected": f"{units.clock(math.ceil(forecast.projected_seconds))} of training at this "
        f"pace; the time limit is {units.clock(forecast.time_limit)}",
    }
    for name, value in lines.items():
        console.print(Text.assemble((f"{name:18}", "bold"), value), soft_wrap=True)
    if forecast.warning:
        console.print(Text(f"warning: {forecast.warning}", style="bold yellow"), soft_wrap=True)
