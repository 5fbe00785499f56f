"""`hpcdl sweep status`: the trials of a sweep by state, and the best of them."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import Any

from rich.console import Console
from rich.table import Table
from rich.text import Text

from hpc_dl.jobspec import units
from hpc_dl.jobspec.load import load_resolved
from hpc_dl.jobspec.units import count
from hpc_dl.scheduler import registry
from hpc_dl.sweep import folder, info, progress
from hpc_dl.sweep.folder import SweepDir
from hpc_dl.sweep.info import Info
from hpc_dl.sweep.progress import TrialProgress

SHOWN = 10
"""How many of the best trials are listed."""
_ORDER = ("completed", "running", "waiting", "paused", "pruned", "failed", "lost", "cancelled")


def next_commands(sweep: SweepDir) -> str:
    """Return the commands that are useful next, one a line."""
    lines = {
        f"hpcdl sweep status {sweep.id}": "its trials by state, and the best of them",
        f"hpcdl sweep best {sweep.id} -o best.yaml": "the job spec of the best trial",
        f"hpcdl sweep cancel {sweep.id}": "stop it; `hpcdl sweep resume` goes on",
        f"hpcdl status {sweep.id}-1": "one of its runs, as any other",
    }
    width = max(map(len, lines))
    return "\n".join(f"  {command:{width}}  {line}" for command, line in lines.items())


def describe(sweep: SweepDir, jobs: Sequence[str]) -> str:
    """Say how many trials a sweep has, and which jobs train them."""
    backend, spec = info.load(sweep).backend, load_resolved(sweep.spec)
    if progress.is_complete(sweep, spec):
        return "has trained this already; --new starts another one"
    what = count(len(folder.read_trials(sweep)), "trial")
    if registry.get(backend).on_this_machine:
        return f"{what}, by {count(len(jobs), 'process', 'es')} of this machine"
    arrays = "an array of jobs, " if len(jobs) == 1 else "arrays of jobs, "
    return f"{what}, as {arrays}{', '.join(jobs)}"


def to_json(sweep: SweepDir) -> dict[str, Any]:
    """Return everything that `show` prints."""
    known, trials = info.load(sweep), progress.read(sweep)
    best = ranked(known, trials)
    return {
        "sweep": sweep.id,
        "path": str(sweep.path),
        "metric": known.metric,
        "goal": known.goal,
        "counts": dict(progress.counts(trials)),
        "seconds_left": seconds_left(sweep, trials),
        "jobs": [it.job_id for it in folder.arrays(sweep)],
        "best": _trial_json(sweep, best[0]) if best else None,
        "trials": [_trial_json(sweep, it) for it in trials],
    }


def _trial_json(sweep: SweepDir, it: TrialProgress) -> dict[str, Any]:
    run = sweep.run(it.trial.number).id
    result = dataclasses.asdict(it.result) if it.result else None
    return {"run": run, "state": it.state, **dataclasses.asdict(it.trial), "result": result}


def show(sweep: SweepDir, out: Console) -> None:
    """Print the trials by state, and the best of them with their values."""
    known, trials = info.load(sweep), progress.read(sweep)
    numbers = progress.counts(trials)
    states = ", ".join(f"{numbers[it]} {it}" for it in _ORDER if numbers[it])
    out.print(Text.assemble((sweep.id, "bold"), f": {count(len(trials), 'trial')}: {states}"))
    if left := seconds_left(sweep, trials):
        out.print(f"about {units.clock(round(left))} left")
    if best := ranked(known, trials):
        out.print(_table(sweep, known, best[:SHOWN]))
    for it in trials:
        if it.state == "failed" and it.result:
            reason = it.result.reason.partition("\n")[0]
            out.print(Text(f"{sweep.run(it.trial.number).id} failed: {reason}"), soft_wrap=True)
    lost = numbers["lost"]
    if lost or numbers["failed"] or numbers["cancelled"]:
        what = " --failed" if numbers["failed"] else ""
        out.print(f"`hpcdl sweep resume {sweep.id}{what}` goes on with them")


def ranked(known: Info, trials: Sequence[TrialProgress]) -> list[TrialProgress]:
    """Return the trials that have a value, the best first; those of one value in their order."""
    found = [it for it in trials if it.result and it.result.value is not None]
    sign = 1 if known.goal == "minimize" else -1
    return sorted(found, key=lambda it: sign * (it.result.value or 0.0) if it.result else 0.0)


def seconds_left(sweep: SweepDir, trials: Sequence[TrialProgress]) -> float | None:
    """Return how long the rest may take, at the pace of the trials that are complete."""
    spec = load_resolved(sweep.spec).sweep
    done = [it.result.seconds for it in trials if it.state == "completed" and it.result]
    numbers = progress.counts(list(trials))
    left = numbers["waiting"] + numbers["running"] + numbers["lost"]
    if not (done and left and spec):
        return None
    return sum(done) / len(done) * left / min(spec.concurrent, left)


def _table(sweep: SweepDir, known: Info, best: Sequence[TrialProgress]) -> Table:
    keys = list(dict.fromkeys(key for it in best for key in it.trial.values))
    table = Table(box=None, padding=(0, 2, 0, 0), header_style="bold")
    for title in ("run", known.metric, "epochs", "state", *keys):
        table.add_column(title, overflow="fold")
    for it in best:
        assert it.result is not None and it.result.value is not None
        cells = [sweep.run(it.trial.number).id, f"{it.result.value:.5g}", str(it.result.epoch)]
        cells += [it.state, *(_shown(it.trial.values.get(key, "")) for key in keys)]
        table.add_row(*map(Text, cells))
    return table


def _shown(value: object) -> str:
    return f"{value:.4g}" if isinstance(value, float) else str(value)
