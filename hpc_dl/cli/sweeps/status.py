"""`hpcdl sweep status`: the trials of a sweep by state, and the best of them."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import Any

from rich.console import Console
from rich.table import Table
from rich.text import Text

from hpc_dl.cli import common
from hpc_dl.jobspec import units
from hpc_dl.jobspec.units import count
from hpc_dl.scheduler import registry
from hpc_dl.sweep import budget, folder, info, progress, summary
from hpc_dl.sweep.folder import SweepDir
from hpc_dl.sweep.info import Info
from hpc_dl.sweep.progress import TrialProgress
from hpc_dl.sweep.summary import Configuration

SHOWN = 10
"""How many of the best trials are listed."""


def next_commands(sweep: SweepDir) -> str:
    """Return the commands that are useful next, one a line."""
    lines = {
        f"hpcdl sweep status {sweep.id}": "its trials by state, and the best of them",
        f"hpcdl sweep best {sweep.id} -o best.yaml": "the job spec of the best trial",
        f"hpcdl sweep cancel {sweep.id}": "stop it; `hpcdl sweep resume` goes on",
        f"hpcdl status {sweep.id}-1": "one of its runs, as any other",
    }
    return common.command_list(lines)


def describe(sweep: SweepDir, jobs: Sequence[str]) -> str:
    """Say how many trials a sweep has, and which jobs train them."""
    from hpc_dl.jobspec.load import load_resolved

    backend = info.load(sweep).backend
    if progress.is_complete(sweep, load_resolved(sweep.spec)):
        return "has trained this already; --new starts another one"
    what = count(len(folder.read_trials(sweep)), "trial")
    if registry.get(backend).on_this_machine:
        return f"{what}, by {count(len(jobs), 'process', 'es')} of this machine"
    arrays = "an array of jobs, " if len(jobs) == 1 else "arrays of jobs, "
    return f"{what}, as {arrays}{', '.join(jobs)}"


def to_json(sweep: SweepDir) -> dict[str, Any]:
    """Return everything that `show` prints."""
    known, trials = info.load(sweep), progress.read(sweep)
    best = summary.ranked(trials, known.goal)
    return {
        "sweep": sweep.id,
        "path": str(sweep.path),
        "metric": known.metric,
        "goal": known.goal,
        "counts": dict(progress.counts(trials)),
        "seconds_left": seconds_left(sweep, trials),
        "jobs": [it.job_id for it in folder.arrays(sweep)],
        "best": configuration_json(sweep, known, best[0]) if best else None,
        "trials": [_trial_json(sweep, it) for it in trials],
    }


def _trial_json(sweep: SweepDir, it: TrialProgress) -> dict[str, Any]:
    run = sweep.run(it.trial.number).id
    result = dataclasses.asdict(it.result) if it.result else None
    return {"run": run, "state": it.state, **dataclasses.asdict(it.trial), "result": result}


def configuration_json(sweep: SweepDir, known: Info, it: Configuration) -> dict[str, Any]:
    """Return a configuration with its score, as JSON has it."""
    assert it.mean is not None
    return {
        "run": sweep.run(it.best(known.goal).trial.number).id,
        "runs": [sweep.run(one.trial.number).id for one in it.trials],
        "values": it.values,
        "value": it.mean.mean,
        "deviation": it.mean.deviation if it.mean.n > 1 else None,
    }


def show(sweep: SweepDir, out: Console) -> None:
    """Print the trials by state, and the best of them with their values."""
    known, trials = info.load(sweep), progress.read(sweep)
    numbers = progress.counts(trials)
    out.print(Text.assemble((sweep.id, "bold"), f": {progress.describe(trials)}"))
    if numbers["waiting"] and _budget_is_over(sweep, trials):
        out.print("the budget of sweep.gpu_hours is used: those that wait are not begun")
    elif left := seconds_left(sweep, trials):
        out.print(f"about {units.clock(round(left))} left")
    if best := summary.ranked(trials, known.goal):
        out.print(table(sweep, known, best[:SHOWN]))
    for it in trials:
        if it.state == "failed" and it.result:
            reason = it.result.reason.partition("\n")[0]
            out.print(Text(f"{sweep.run(it.trial.number).id} failed: {reason}"), soft_wrap=True)
    is_stuck = numbers["promoted"] and not (numbers["running"] or numbers["waiting"])
    if is_stuck or numbers["lost"] or numbers["failed"] or numbers["cancelled"]:
        what = " --failed" if numbers["failed"] else ""
        out.print(f"`hpcdl sweep resume {sweep.id}{what}` goes on with them")


def _budget_is_over(sweep: SweepDir, trials: Sequence[TrialProgress]) -> bool:
    if info.section(sweep).gpu_hours is None:
        return False
    from hpc_dl.jobspec.load import load_resolved  # a third of a second

    return budget.is_over(load_resolved(sweep.spec), [it.result for it in trials if it.result])


def seconds_left(sweep: SweepDir, trials: Sequence[TrialProgress]) -> float | None:
    """Return how long the rest may take, at the pace of the trials that are complete."""
    done = [it.result.seconds for it in trials if it.state == "completed" and it.result]
    numbers = progress.counts(list(trials))
    left = sum(numbers[it] for it in ("waiting", "promoted", "running", "lost"))
    if not (done and left):
        return None
    return sum(done) / len(done) * left / min(info.section(sweep).concurrent, left)


def table(sweep: SweepDir, known: Info, best: Sequence[Configuration]) -> Table:
    """Return a table of configurations with their runs, results and values."""
    head, *rows = summary.table(sweep, known.metric, best)
    shown = Table(box=None, padding=(0, 2, 0, 0), header_style="bold")
    for title in head:
        shown.add_column(Text(title), overflow="fold")
    for row in rows:
        shown.add_row(*map(Text, row))
    return shown
