"""The run of a trial: made as the trial begins, from what the sweep's folder holds."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

from hpc_dl.cli import job_request
from hpc_dl.cli.job_request import JobRequest
from hpc_dl.data import fingerprint
from hpc_dl.data.fingerprint import Fingerprint
from hpc_dl.errors import UserError
from hpc_dl.jobspec.load import load
from hpc_dl.planning.plan import Plan
from hpc_dl.run import layout, records
from hpc_dl.run.layout import RunDir
from hpc_dl.scheduler.base import Scheduler
from hpc_dl.submission import hpcdl_code, provenance
from hpc_dl.submission.prepare import prepare, replan
from hpc_dl.submission.reopen import reopen
from hpc_dl.submission.snapshot import Snapshot
from hpc_dl.sweep import membership, notification, space
from hpc_dl.sweep.folder import SweepDir
from hpc_dl.sweep.info import Info
from hpc_dl.sweep.trial import Trial
from hpc_dl.tracking import store_uri


def request(sweep: SweepDir, info: Info, trial: Trial) -> JobRequest:
    """Return the trial as a job: the sweep's spec with the trial's values. Raises UserError."""
    store = store_uri.load(RunDir(sweep.path))
    shared = load(sweep.spec)
    words = [f"name={sweep.id}", "sweep=null", "after=null", notification.of_trial(shared)]
    words += space.words(trial)
    words += [f"tracking.uri={store}"] if store else []
    return read_spec(sweep, info, words)


def read_spec(sweep: SweepDir, info: Info, words: Sequence[str]) -> JobRequest:
    """Return the sweep's spec, with overrides, as a job with the sweep's files."""
    copied, begun = sweep.code, RunDir(sweep.path)
    found = job_request.read(sweep.spec, words, info.site, copied, begun, is_resolved=False)
    return dataclasses.replace(found, run_root=sweep.root)


def plan(
    asked: JobRequest, run: RunDir, scheduler: Scheduler, pause_after: int | None, shared_by: int
) -> Plan:
    """Plan the next part of a trial, which pauses after so many epochs; None: not at all."""
    planned = asked.plan(run.path, scheduler)
    pause_at = (pause_after or 0) * planned.steps_per_epoch
    is_part = 0 < pause_at < planned.steps
    return dataclasses.replace(planned, pause_at=pause_at if is_part else None, shared_by=shared_by)


def make_or_replan(
    sweep: SweepDir, trial: Trial, asked: JobRequest, planned: Plan, scheduler: Scheduler
) -> None:
    """Make the run folder of a trial, or write the plan of its next part into the one it has.

    Raises UserError where the data have changed since the sweep was submitted.
    """
    run, spec = sweep.run(trial.number), asked.resolved(scheduler)
    if not run.path.exists():
        layout.make_folder(run.path, layout.mode_of(RunDir(sweep.path)))
    with layout.writing_as(run):
        membership.write(run, sweep, trial)
        if run.spec.exists():
            fingerprint.check(run, asked.fingerprint, asked.facts)
            replan(run, spec, planned)
        else:
            _check_data(sweep, trial, asked.fingerprint)
            code = Snapshot(sweep.code, tuple(_files(sweep)))
            words = space.words(trial)
            known = asked.fingerprint, asked.initial, words
            prepare(run, spec, planned, sweep.code, code, *known)
            provenance.take_over(run, RunDir(sweep.path), words)
        hpcdl_code.freeze(run)
        reopen(run)


def _files(sweep: SweepDir) -> list[str]:
    files = (it for it in sweep.code.rglob("*") if it.is_file())
    return sorted(str(it.relative_to(sweep.code)) for it in files)


def _check_data(sweep: SweepDir, trial: Trial, now: Fingerprint) -> None:
    """Raise UserError where the data have changed since the sweep was submitted; trials that
    differ in their data or files have others."""
    then = records.load(RunDir(sweep.path).fingerprint, Fingerprint)
    own = any(key.startswith(("data.", "model.")) for key in trial.values)
    if (what := then.difference(now)) and not own:
        raise UserError(
            f"the data have changed since {sweep.id} was submitted: {what}",
            hint="Restore them, or submit a new sweep: `hpcdl submit --sweep --new`.",
        )
