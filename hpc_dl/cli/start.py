"""Start a new run, or resume one: prepare its folder, and submit its job."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from pathlib import Path

from hpc_dl.cli import run_choice, watch
from hpc_dl.cli.job_request import JobRequest
from hpc_dl.cli.preview import planned_folder
from hpc_dl.cli.run_choice import RunChoice, saved_step
from hpc_dl.cli.watch import ReportOptions
from hpc_dl.data import fingerprint
from hpc_dl.errors import EXIT_CLUSTER, UserError
from hpc_dl.jobspec.job import JobSpec
from hpc_dl.planning.plan import Plan
from hpc_dl.run import layout, lease, records
from hpc_dl.run.journal import Journal
from hpc_dl.run.layout import REPAIRS, RunDir
from hpc_dl.run.rank_info import single_rank
from hpc_dl.run.waiting import locked
from hpc_dl.scheduler import recovery, registry
from hpc_dl.scheduler.base import Scheduler, Unconfirmed
from hpc_dl.scheduler.submit import submit
from hpc_dl.status import UNKNOWN, Status, read_status, reconcile
from hpc_dl.submission import hpcdl_code, resumed_code
from hpc_dl.submission.prepare import prepare
from hpc_dl.submission.reopen import reopen


def start_or_resume(
    request: JobRequest, choice: RunChoice, scheduler: Scheduler, options: ReportOptions
) -> int:
    """Submit the job, unless it runs or is complete already; return the exit code."""
    if choice.run and choice.action == "is_complete":
        return watch.show_complete(choice.run, options)
    if choice.run and choice.action == "is_active":
        if options.follow:
            return watch.watch(choice.run, 0, options)
        raise active_error(choice.run, options, choice.status or read_status(choice.run))
    if choice.run:
        resumed_code.hand_over(choice.run)
        return resume(choice.run, lambda run: _prepare(request, run, scheduler), options)
    return _start(request, choice, scheduler, options)


def _start(
    request: JobRequest, choice: RunChoice, scheduler: Scheduler, options: ReportOptions
) -> int:
    """Start a new run, unless another command has just started one of the same training."""
    reason = f": {choice.changed}" if choice.changed else ""
    request.plan(
        planned_folder(request, choice), scheduler
    )  # an error here leaves no folder behind
    with run_choice.submission_lock(request.run_root, request.spec, request.code):
        if choice.examined is not None:
            choice = run_choice.choose(
                request.run_root,
                request.spec,
                request.code,
                request.fingerprint,
                exclude=choice.examined,
            )
        if choice.run is None:
            run, plan = _create(request, scheduler)
    if choice.run:
        return start_or_resume(request, choice, scheduler, options)
    return watch.report(run, plan, f"a new run{reason}", 0, options)


def _create(request: JobRequest, scheduler: Scheduler) -> tuple[RunDir, Plan]:
    run = layout.create(request.run_root, request.spec.name, request.site.run_folder_mode)
    with layout.writing_as(run):
        try:
            plan = _prepare(request, run, scheduler)
        except BaseException:
            shutil.rmtree(run.path)
            raise
        _submit(run, plan)
    return run, plan


def resume(run: RunDir, prepare_again: Callable[[RunDir], Plan], options: ReportOptions) -> int:
    """Submit a stopped run again; return the exit code. Of two commands at once one is refused."""
    with locked(run.path) as is_free:
        if not is_free:
            raise UserError(f"{run.id} is being submitted by another command")
        status = read_status(run, lease.RELEASE_SECONDS)
        if run_choice.action_for(status) == "is_active":
            raise active_error(run, options, status)
        with layout.writing_as(run):
            reconcile([run])
            plan, step = prepare_again(run), saved_step(run)
            offset = run.journal.stat().st_size
            _submit(run, plan)
    return watch.report(run, plan, f"resumes from step {step}", offset, options)


def _prepare(request: JobRequest, run: RunDir, scheduler: Scheduler) -> Plan:
    plan = request.plan(run.path, scheduler)
    spec = request.resolved(scheduler)
    _fill(request, run, spec, plan)
    return plan


def _fill(request: JobRequest, run: RunDir, spec: JobSpec, plan: Plan) -> None:
    files = request.base, request.code, request.fingerprint, request.initial
    prepare(run, spec, plan, *files, request.overrides)


def _submit(run: RunDir, plan: Plan) -> None:
    try:
        hpcdl_code.freeze(run)
        submit(run, plan)
    except Unconfirmed:
        raise
    except UserError as error:
        journal = Journal(run.journal)
        journal.append("state", state="failed", reason=f"not submitted: {error.message}")
        journal.close()
        raise


def active_error(run: RunDir, options: ReportOptions, status: Status) -> UserError:
    """Return the error of a submission whose run is being trained, or may be."""
    if status.faults and not status.reachable:
        return UserError(
            f"a job of {run.id} may be training this already: {'; '.join(status.faults)}",
            hint=f"{REPAIRS['submission.json']}\n--new starts another run.",
        )
    if status.state == UNKNOWN:
        return UserError(
            f"{run.id} was submitted already, and is {status.reason}",
            hint="It is sent again once it is certain that it was never submitted.",
            exit_code=EXIT_CLUSTER,
        )
    how = f"by {status.holder}" if status.holder else f"it is {status.state}"
    return UserError(
        f"{run.id} is training this already: {how}",
        hint=f"{options.next_commands(run)}\n--follow watches it; --new starts another run.",
    )


def prepare_within_job(request: JobRequest, run_dir: Path) -> int:
    """Make the run folder of a script that was submitted by hand; once for a job."""
    run, scheduler = RunDir(run_dir.absolute()), registry.get(request.site.scheduler)
    rank_info = scheduler.rank_info(os.environ) or single_rank(scheduler.name)
    known = recovery.find(run).submission
    if known and known.job_id == rank_info.job_id:
        return 0  # requeued
    if run.spec.exists():
        _check_resumable(request, run)
        resumed_code.hand_over(run)
    if not run.path.exists():
        layout.make_folder(run.path, request.site.run_folder_mode)
    plan = request.plan(run.path, scheduler)
    with layout.writing_as(run):
        _fill(request, run, request.spec, plan)
        hpcdl_code.freeze(run)
        reopen(run)
        scheduler.submission_of(rank_info).save(run)
    return 0


def _check_resumable(request: JobRequest, run: RunDir) -> None:
    """Raise UserError unless the run is of the same training, and has stopped."""
    status = read_status(run, lease.RELEASE_SECONDS)
    submitted = run_choice.submitted_identity(request.spec, request.code)
    if run_choice.identity(records.load_spec(run), run.code) != submitted:
        raise UserError(
            f"{run.path} is a run of another training",
            hint="Print a new script with `hpcdl submit JOB.yaml --dry-run=script`.",
        )
    if run_choice.action_for(status) == "is_active":
        raise active_error(run, ReportOptions(), status)
    reconcile([run])
    fingerprint.check(run, request.fingerprint, request.facts)
