"""Submit a sweep: make its folder, and start the tasks that train its trials."""

from __future__ import annotations

import argparse
import dataclasses
import hashlib
import json
import os
import shutil
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rich.text import Text

from hpc_dl.cli import job_request
from hpc_dl.cli.common import console, print_json
from hpc_dl.cli.job_request import JobRequest
from hpc_dl.cli.sweeps import check, status, watch
from hpc_dl.errors import UserError
from hpc_dl.installed import require
from hpc_dl.jobspec import spec_file
from hpc_dl.jobspec.credentials import hidden
from hpc_dl.jobspec.job import JobSpec
from hpc_dl.planning.plan import Plan
from hpc_dl.run import layout
from hpc_dl.run.layout import RunDir, write_atomic, write_json
from hpc_dl.run.submission import Submission
from hpc_dl.scheduler import registry
from hpc_dl.scheduler.base import Scheduler, Tasks, Unconfirmed
from hpc_dl.submission import hpcdl_code, provenance, resumed_code, snapshot
from hpc_dl.sweep import folder, info, metric, progress
from hpc_dl.sweep.folder import SweepDir
from hpc_dl.sweep.goal import Goal
from hpc_dl.sweep.info import Info
from hpc_dl.sweep.trial import Trial
from hpc_dl.tracking import store_uri

TASK = ("-m", "hpc_dl.cli.sweeps.task")
"""The module that a task runs, with the sweep's folder as its argument."""


@dataclass(frozen=True)
class SweepRequest:
    """A sweep as it was asked for, valid in every trial."""

    job: JobRequest
    """The job of its spec."""
    trials: Sequence[Trial]
    metric: str
    goal: Goal
    site: str | None

    @property
    def spec(self) -> JobSpec:
        """The resolved spec, with the metric and the goal."""
        spec = self.job.code.renamed(self.job.spec)
        assert spec.sweep is not None
        chosen = spec.sweep.model_copy(update={"metric": self.metric, "goal": self.goal})
        return spec.model_copy(update={"sweep": chosen})

    @property
    def identity(self) -> str:
        """A hash of all that its trainings depend on: the spec, the trials, the user's code."""
        code = self.job.code.folder
        files = snapshot.digests(code) if code else {}
        assert self.spec.sweep is not None
        sweep = self.spec.sweep.model_dump(mode="json", exclude={"concurrent", "trials_per_gpu"})
        whole = [self.spec.training(), sweep, files, self.job.fingerprint.digest]
        return hashlib.sha256(json.dumps(whole, sort_keys=True).encode()).hexdigest()


def run(args: argparse.Namespace, job: JobRequest) -> int:
    """Submit the sweep of a job spec, and print what comes next."""
    scheduler = registry.choose(job.site, local=args.local)
    request = read(job, args.site, scheduler)
    sweep = submit(request, scheduler, new=args.new)
    out = console(for_json=args.json)
    jobs = [it.job_id for it in folder.arrays(sweep)]
    out.print(Text.assemble((sweep.id, "bold"), f": {status.describe(sweep, jobs)}"))
    code = 0
    if args.follow or (scheduler.on_this_machine and not args.json):
        code = watch.watch(sweep, out)
    elif not args.json:
        out.print(Text(status.next_commands(sweep)), soft_wrap=True)
    if args.json:
        print_json(status.to_json(sweep))
    return code


def read(job: JobRequest, site: str | None, scheduler: Scheduler) -> SweepRequest:
    """Return the sweep of a job that was asked for, with its trials. Raises UserError."""
    trials = check.checked_trials(job, scheduler)
    found, goal = metric.resolve(job.spec, job.facts)
    assert job.spec.sweep is not None
    if (method := job.spec.sweep.method) in ("tpe", "median"):
        require("optuna", "sweep", f"method: {method}")
    return SweepRequest(job, trials, found, goal, site)


def submit(request: SweepRequest, scheduler: Scheduler, *, new: bool) -> SweepDir:
    """Start a new sweep, or the rest of one of the same trainings that stopped; return it.

    One that is complete stays as it is. Raises UserError where it is being trained.
    """
    planned = request.job.plan(request.job.run_root / "sweep", scheduler)
    sweep = None if new else find_same(request)
    if sweep is None:
        sweep = create(request, planned, scheduler)
        try:
            start_rest(sweep, request.spec, planned, scheduler)
        except Unconfirmed:
            raise
        except UserError:
            shutil.rmtree(sweep.path)
            raise
        return sweep
    if progress.is_complete(sweep, request.spec):
        return sweep
    if scheduler.count_tasks(folder.arrays(sweep)):
        raise UserError(
            f"{sweep.id} trains this already",
            hint=f"`hpcdl sweep status {sweep.id}` shows it; --new starts another one.",
        )
    hand_over(sweep)
    resume(sweep, request.spec, planned, scheduler)
    return sweep


def hand_over(sweep: SweepDir) -> None:
    """Have the hpcdl of a sweep's submission continue this command, if it is another one; that
    wrote the folder, and trains all trials."""
    new = f"`hpcdl submit --sweep --new` starts one with this, {hpcdl_code.current()}."
    resumed_code.hand_over(RunDir(sweep.path), new)


def resume(sweep: SweepDir, spec: JobSpec, plan: Plan, scheduler: Scheduler) -> None:
    """Start tasks for what is left of a sweep."""
    sweep.cancel.unlink(missing_ok=True)
    folder.forget_results(sweep, ("cancelled",))
    start_rest(sweep, spec, plan, scheduler)


def find_same(request: SweepRequest) -> SweepDir | None:
    """Return the newest sweep of the same trainings, if there is one."""
    for sweep in reversed(folder.find_all(request.job.run_root, request.job.spec.name)):
        if sweep.info.is_file() and info.load(sweep).identity == request.identity:
            return sweep
    return None


def create(request: SweepRequest, plan: Plan, scheduler: Scheduler) -> SweepDir:
    """Make the folder of a new sweep, whole or not at all."""
    job = request.job
    uri = store_uri.absolute(plan.tracking_uri, Path.cwd())
    plan = dataclasses.replace(plan, tracking_uri=uri)
    sweep = folder.create(job.run_root, job.spec.name, job.site.run_folder_mode)
    as_run = RunDir(sweep.path)
    with layout.writing_as(as_run):
        try:
            job.code.copy_to(sweep.code)
            if job.initial:
                job.initial.copy_to(as_run)
            write_json(as_run.fingerprint, dataclasses.asdict(job.fingerprint))
            provenance.record(as_run, job.base, job.fingerprint.digest, job.overrides)
            store_uri.save(as_run, plan.tracking_uri)
            write_json(as_run.plan, plan.without_password().to_json())
            write_atomic(
                sweep.spec, spec_file.dump(request.spec.without_password(), only_given=True)
            )
            write_atomic(sweep.submitted, spec_file.dump_values(_as_submitted(job)))
            folder.add_trials(sweep, request.trials)
            hpcdl_code.freeze(as_run)
            info.save(
                sweep,
                Info(
                    str(job.file.absolute()),
                    list(job.overrides),
                    request.identity,
                    request.metric,
                    request.goal,
                    time.time(),
                    scheduler.name,
                    _absolute_site(request.site),
                ),
            )
        except BaseException:
            shutil.rmtree(sweep.path)
            raise
    return sweep


def _as_submitted(job: JobRequest) -> dict[str, Any]:
    """Return the values of the job file and the overrides, without a password."""
    values: dict[str, Any] = spec_file.read(job.file, job.overrides, JobSpec).values
    if uri := values.get("tracking", {}).get("uri"):
        values["tracking"]["uri"] = hidden(uri)
    return values


def _absolute_site(site: str | None) -> str | None:
    return str(Path(site).absolute()) if site and Path(site).is_file() else site


def start_tasks(
    sweep: SweepDir, spec: JobSpec, plan: Plan, scheduler: Scheduler, number: int
) -> list[Submission]:
    """Start so many tasks, in the order of the site's limits. Raises UserError."""
    plan, tasks = plan_tasks(sweep, spec, plan, number)
    with layout.writing_as(RunDir(sweep.path)):
        starts = [int(it) for it in os.listdir(sweep.arrays) if it.isdecimal()]  # noqa: PTH208
        new = RunDir(sweep.arrays / str(max(starts, default=0) + 1))
        layout.make_folder(new.path, layout.mode_of(RunDir(sweep.path)))
        return scheduler.start_tasks(new, plan, tasks)


def plan_tasks(sweep: SweepDir, spec: JobSpec, plan: Plan, number: int) -> tuple[Plan, Tasks]:
    """Return the plan of the tasks that train a sweep, made of the `plan` of its spec."""
    assert spec.sweep is not None
    shared_by = spec.sweep.trials_per_gpu
    options = dict(plan.sbatch)
    if options:
        options |= {"job-name": sweep.id, "cpus-per-task": plan.cpus_per_task * shared_by}
    plan = dataclasses.replace(plan, run_dir=str(sweep.path), sbatch=options, shared_by=shared_by)
    tasks = Tasks([*TASK, str(sweep.path)], number, spec.sweep.concurrent, _room(plan))
    return plan, tasks


def _room(plan: Plan) -> int:
    """Return how many trials this machine can train at once, by its cores and GPUs."""
    here = job_request.this_machine()
    cores = here.cpus // (plan.tasks_per_node * plan.cpus_per_task)
    gpus = here.gpus // plan.gpus_per_node * plan.shared_by if plan.gpus_per_node else cores
    return max(1, min(cores, gpus))


def start_rest(sweep: SweepDir, spec: JobSpec, plan: Plan, scheduler: Scheduler) -> None:
    """Start tasks for all units that are not finished. Raises UserError where there are none."""
    if not (left := progress.units_left(sweep, spec)):
        raise UserError(f"{sweep.id} has nothing left to train")
    start_for(left, sweep, spec, plan, scheduler)


def start_for(units: int, sweep: SweepDir, spec: JobSpec, plan: Plan, scheduler: Scheduler) -> None:
    """Start tasks for so many units, of which some may share a job."""
    start_tasks(sweep, spec, plan, scheduler, count_tasks(units, spec, scheduler))


def count_tasks(units: int, spec: JobSpec, scheduler: Scheduler) -> int:
    """Return how many tasks train so many units, of which some may share a job."""
    assert spec.sweep is not None
    per_job = 1 if scheduler.on_this_machine else spec.sweep.trials_per_gpu
    return -(-units // per_job)
