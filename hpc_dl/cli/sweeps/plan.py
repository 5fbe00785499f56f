"""Dry run of a sweep: its trials, the jobs that train them, and what these may cost."""

from __future__ import annotations

import argparse
import dataclasses
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from rich.console import Console
from rich.table import Table
from rich.text import Text

from hpc_dl.cli import show_plan
from hpc_dl.cli.common import console, print_json
from hpc_dl.cli.job_request import JobRequest
from hpc_dl.cli.sweeps import start
from hpc_dl.cli.sweeps.start import SweepRequest
from hpc_dl.jobspec import units
from hpc_dl.jobspec.schema import to_yaml
from hpc_dl.jobspec.sweep import Sweep
from hpc_dl.jobspec.units import count
from hpc_dl.planning.plan import Plan
from hpc_dl.scheduler import registry
from hpc_dl.scheduler.base import Scheduler, Tasks
from hpc_dl.sweep import folder, space
from hpc_dl.sweep.folder import SweepDir
from hpc_dl.sweep.trial import Trial

FIRST, LAST = 12, 4
"""How many trials of a longer list are shown."""


@dataclass(frozen=True)
class Cost:
    """What the jobs of a sweep take of a cluster."""

    node_hours: float
    gpu_hours: float

    @classmethod
    def of(cls, seconds: float, plan: Plan) -> Cost:
        """Return the cost of jobs that take so many seconds together."""
        hours = seconds / 3600 * plan.nodes
        return cls(hours, hours * plan.gpus_per_node)

    def __str__(self) -> str:
        gpus = f", {self.gpu_hours:,.2f} GPU hours" if self.gpu_hours else ""
        return f"{self.node_hours:,.2f} node hours{gpus}"


@dataclass(frozen=True)
class SweepPlan:
    """A sweep as it would be submitted."""

    sweep: SweepDir
    request: SweepRequest
    scheduler: Scheduler
    plan: Plan
    """Of each of its tasks."""
    tasks: Tasks
    trials: int

    @property
    def options(self) -> Sweep:
        found = self.request.spec.sweep
        assert found is not None
        return found

    @property
    def at_once(self) -> int:
        """How many tasks run at once, at most."""
        tasks = self.tasks
        room = tasks.room if self.scheduler.on_this_machine else tasks.number
        return min(tasks.concurrent, tasks.number, room)

    @property
    def limit(self) -> Cost:
        """The cost if every job takes all of its time limit, and none is requeued."""
        return Cost.of(self.tasks.number * self.plan.seconds, self.plan)


def run(args: argparse.Namespace, job: JobRequest) -> int:
    """Print the sweep of a job spec as it would be submitted; return the exit code."""
    scheduler = registry.choose(job.site, local=args.local)
    request = start.read(job, args.site, scheduler)
    if args.dry_run == "script":
        found = _plan(request, registry.get(job.site.scheduler))
        text = "\n".join(it for _, it in found.scheduler.task_scripts(found.plan, found.tasks))
        print_json({"script": text}) if args.json else sys.stdout.write(text)
        return 0
    found = _plan(request, scheduler)
    if not args.json:
        _show(found, console())
    shown = to_json(found) if args.json else {}
    if args.dry_run == "train":
        shown["rehearsal"] = _rehearse(found, console(for_json=args.json), as_json=args.json)
    if args.json:
        print_json(shown)
    return 0


def _plan(request: SweepRequest, scheduler: Scheduler) -> SweepPlan:
    job, options = request.job, request.spec.sweep
    assert options is not None
    sweep = folder.next_dir(job.run_root, job.spec.name)
    later = (options.trials or 0) * (options.seeds or 1)
    trials = len(request.trials) or later
    number = start.count_tasks(trials, request.spec, scheduler)
    planned = job.plan(job.run_root / "sweep", scheduler)
    plan, tasks = start.plan_tasks(sweep, request.spec, planned, number)
    return SweepPlan(sweep, request, scheduler, plan, tasks, trials)


def to_json(found: SweepPlan) -> dict[str, Any]:
    """Return everything that is printed for people, with all trials."""
    return {
        "sweep": found.sweep.id,
        "method": found.options.method,
        "metric": found.request.metric,
        "goal": found.request.goal,
        "trials": [dataclasses.asdict(it) for it in found.request.trials],
        "number": found.trials,
        "tasks": found.tasks.number,
        "arrays": [it for it, _ in found.scheduler.task_scripts(found.plan, found.tasks)],
        "at_once": found.at_once,
        "at_most": dataclasses.asdict(found.limit),
        "gpu_hours": found.options.gpu_hours,
        "plan": found.plan.without_password().to_json(),
    }


def _show(found: SweepPlan, out: Console) -> None:
    options = found.options
    rows = [
        ("sweep", f"{found.sweep.id}, {found.request.goal}s {found.request.metric}"),
        ("trials", _trials(found)),
        ("tasks", _tasks(found)),
    ]
    if not found.scheduler.on_this_machine:
        limit = units.clock(found.plan.seconds)
        rows.append(("cost", f"at most {found.limit}: {limit} each, without requeues; {_MEASURE}"))
    if options.gpu_hours:
        rows.append(("budget", f"no trial begins after {options.gpu_hours:g} hours"))
    show_plan.print_rows([*rows, ("sweep folder", str(found.sweep.path))], out)
    out.print()
    out.print(_table(found.request.trials) if found.request.trials else _LATER)


_MEASURE = "--dry-run measures the pace of the first trial"
_LATER = "The values of each trial are chosen by the results of those before it."


def _trials(found: SweepPlan) -> str:
    text, seeds = f"{found.trials} by {found.options.method}", found.options.seeds
    if seeds is None:
        return text
    return f"{text}: {count(found.trials // seeds, 'configuration')} x {count(seeds, 'seed')}"


def _tasks(found: SweepPlan) -> str:
    if found.scheduler.on_this_machine:
        return f"{count(found.at_once, 'process', 'es')} of this machine"
    sizes = [number for number, _ in found.scheduler.task_scripts(found.plan, found.tasks)]
    arrays = " + ".join(map(str, sizes))
    shared = found.options.trials_per_gpu
    each = f", {shared} trials share one" if shared > 1 else ""
    return f"{count(len(sizes), 'array')} of jobs: {arrays}, {found.at_once} at once{each}"


def _table(trials: Sequence[Trial]) -> Table:
    """Return the trials and their values, the middle of a long list left out."""
    keys = list(dict.fromkeys(key for it in trials for key in space.values_of(it)))
    table = Table(box=None, padding=(0, 2, 0, 0), header_style="bold")
    for title in ("trial", *keys):
        table.add_column(Text(title), overflow="fold")
    is_long = len(trials) > FIRST + LAST + 1
    for it in trials[:FIRST] if is_long else trials:
        table.add_row(*_cells(it, keys))
    if is_long:
        table.add_row(f"... {len(trials) - FIRST - LAST} more")
        for it in trials[-LAST:]:
            table.add_row(*_cells(it, keys))
    return table


def _cells(trial: Trial, keys: Sequence[str]) -> list[Text]:
    values = space.values_of(trial)
    shown = (to_yaml(values[key]) if key in values else "" for key in keys)
    return [Text(it) for it in (str(trial.number), *shown)]


def _rehearse(found: SweepPlan, out: Console, *, as_json: bool) -> dict[str, Any]:
    """Train a few steps of the first trial, and estimate what all of them take."""
    from hpc_dl.cli import dry_run

    options, job = found.options, found.request.job
    first = [*found.request.trials, *space.limits(options)][0]
    trial = job.with_spec(space.spec_of(job.spec, first))
    plan = trial.plan(job.run_root / "trial", found.scheduler)
    estimate, warnings = dry_run.rehearse(trial, plan, out)
    cost = Cost.of(estimate.projected_seconds * found.tasks.number, found.plan)
    seconds = estimate.projected_seconds * found.tasks.number / found.at_once
    if not as_json:
        dry_run.show(estimate, warnings, out)
        what = f"{cost}, in {units.clock(seconds)}" if not found.scheduler.on_this_machine else ""
        text = what or units.clock(seconds)
        ended = " or less, for trials are ended early" if options.has_rungs else ""
        row = Text.assemble(
            (f"{'all trials':18}", "bold"), f"{text}, if they are like the first", ended
        )
        out.print(row, soft_wrap=True)
    return {
        **dry_run.to_json(estimate, warnings),
        "all_trials": {**dataclasses.asdict(cost), "seconds": seconds},
    }
