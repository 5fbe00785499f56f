"""Starting a run or going on with one, and staying to watch it."""

from __future__ import annotations

import dataclasses
import os
import shlex
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from rich.text import Text

from hpc_dl.cli import live, logs, run_choice, summary
from hpc_dl.cli.job_request import Request
from hpc_dl.cli.preview import folder
from hpc_dl.cli.run_choice import Choice, saved_step
from hpc_dl.cli.runs import print_json
from hpc_dl.cli.screen import console
from hpc_dl.data import fingerprint
from hpc_dl.errors import EXIT_CLUSTER, EXIT_FAILED, UserError
from hpc_dl.jobspec.load import load_resolved
from hpc_dl.planning.plan import Plan
from hpc_dl.run import layout, lease, records
from hpc_dl.run import submission as submissions
from hpc_dl.run.journal import Journal
from hpc_dl.run.layout import REPAIRS, RunDir
from hpc_dl.run.rank_info import single_rank
from hpc_dl.run.submission import Submission
from hpc_dl.run.waiting import locked
from hpc_dl.scheduler import registry
from hpc_dl.scheduler.base import Scheduler, Unconfirmed
from hpc_dl.scheduler.submit import submit
from hpc_dl.status import UNKNOWN, Status, read_status, reconcile
from hpc_dl.submission.prepare import prepare, reopen

LOG_LINES = 15
"""How much of its log is shown of a run that failed."""


@dataclass(frozen=True)
class Manner:
    """How a user wants to hear of a run."""

    follow: bool = False
    as_json: bool = False
    site: str | None = None

    def commands(self, run: RunDir) -> str:
        """What to type next about a run."""
        site = f" --site {shlex.quote(self.site)}" if self.site else ""
        lines = {
            f"hpcdl status {run.id}{site}": "how it is",
            f"hpcdl logs {run.id} -f{site}": "what it prints",
            f"hpcdl cancel {run.id}{site}": "stop it; `hpcdl submit` again goes on",
            f"{summary.DASHBOARD}{site}": "metrics and pictures of all runs",
        }
        width = max(map(len, lines))
        return "\n".join(f"  {command:{width}}  {line}" for command, line in lines.items())


def send(request: Request, choice: Choice, scheduler: Scheduler, manner: Manner) -> int:
    """Submit the job, unless it runs or is complete already; returns the exit code."""
    if choice.run and choice.action == "is_complete":
        return _show_complete(choice.run, manner)
    if choice.run and choice.action == "is_active":
        if manner.follow:
            return watch(choice.run, 0, manner)
        raise active(choice.run, manner, choice.status or read_status(choice.run))
    if choice.run:
        return go_on(choice.run, lambda run: _prepare(request, run, scheduler), manner)
    reason = f": {choice.changed}" if choice.changed else ""
    request.plan(folder(request, choice), scheduler)  # what fails here leaves no folder behind
    with run_choice.in_turn(request.run_root, request.spec, request.code):
        if choice.seen is not None:
            place = request.run_root, request.spec, request.code, request.fingerprint
            choice = run_choice.choose(*place, but=choice.seen)
        if choice.run is None:
            run, plan = _begin(request, scheduler)
    if choice.run:
        return send(request, choice, scheduler, manner)
    return _report(run, plan, f"a new run{reason}", 0, manner)


def _begin(request: Request, scheduler: Scheduler) -> tuple[RunDir, Plan]:
    run = layout.create(request.run_root, request.spec.name, request.site.run_folder_mode)
    try:
        plan = _prepare(request, run, scheduler)
    except BaseException:
        shutil.rmtree(run.path)
        raise
    _hand_over(run, plan)
    return run, plan


def go_on(run: RunDir, prepare_again: Callable[[RunDir], Plan], manner: Manner) -> int:
    """Submit a stopped run again; returns the exit code. Of two who try at once, one is refused."""
    with locked(run.path) as is_free:
        if not is_free:
            raise UserError(f"{run.id} is being submitted by another command")
        status = read_status(run, lease.GRACE)
        if run_choice.action_for(status) == "is_active":
            raise active(run, manner, status)
        reconcile([run])
        plan, step = prepare_again(run), saved_step(run)
        offset = run.journal.stat().st_size
        _hand_over(run, plan)
    return _report(run, plan, f"goes on from step {step}", offset, manner)


def _prepare(request: Request, run: RunDir, scheduler: Scheduler) -> Plan:
    plan = request.plan(run.path, scheduler)
    spec = request.resolved(scheduler)
    prepare(run, spec, plan, request.base, request.code, request.fingerprint)
    return plan


def _report(run: RunDir, plan: Plan, begins: str, offset: int, manner: Manner) -> int:
    """Say that a run is submitted, and watch it if it is local or to be followed."""
    out, submission = console(for_json=manner.as_json), Submission.load(run)
    assert submission is not None
    job = f"{submission.backend} job {submission.job_id}"
    out.print(Text.assemble((run.id, "bold"), f": {job}, {begins}"), soft_wrap=True)
    for note in plan.notes:
        out.print(Text(f"note: {note}"), soft_wrap=True)
    if manner.follow or registry.get(plan.backend).on_this_machine:
        return watch(run, offset, manner)
    if manner.as_json:
        print_json({**_job(run), "state": read_status(run).state})
    else:
        out.print(Text(manner.commands(run)), soft_wrap=True)
    return 0


def watch(run: RunDir, offset: int, manner: Manner) -> int:
    """Show a run until it ends, from byte `offset` of its journal on; returns the exit code.

    Ctrl-C ends the watching alone.
    """
    out = console(for_json=manner.as_json)
    watched = live.Watched(run, records.load(run.plan, Plan), offset)
    try:
        live.follow(watched, lambda: read_status(run), out)
    except KeyboardInterrupt:
        out.print(Text(f"\n{run.id} runs on.\n{manner.commands(run)}"), soft_wrap=True)
        raise
    reconcile([run])
    found = summary.summarise(run)
    found.state, found.reason = watched.state, watched.reason
    if watched.state == "failed":
        for line in logs.tail(run, LOG_LINES):
            out.print(Text(f"  | {line}", style="dim"), soft_wrap=True)
    if manner.as_json:
        print_json({**_job(run), **summary.as_json(found)})
    else:
        summary.show(found, out)
    return 0 if watched.state == "completed" else EXIT_FAILED


def active(run: RunDir, manner: Manner, status: Status) -> UserError:
    """The refusal to submit what is being trained, or may be."""
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
        hint=f"{manner.commands(run)}\n--follow watches it; --new starts another run.",
    )


def prepare_within_job(request: Request, run_dir: Path) -> int:
    """Make the run folder of a script that was submitted by hand; once for a job."""
    run, scheduler = RunDir(run_dir.absolute()), registry.get(request.site.scheduler)
    rank_info = scheduler.rank_info(os.environ) or single_rank(scheduler.name)
    known = submissions.find(run).submission
    if known and known.job_id == rank_info.job_id:
        return 0  # requeued
    if run.spec.exists():
        status = read_status(run, lease.GRACE)
        if run_choice.identity(load_resolved(run.spec), run.code) != run_choice.submitted_identity(
            request.spec, request.code
        ):
            raise UserError(
                f"{run.path} is a run of another training",
                hint="Print a new script with `hpcdl submit JOB.yaml --dry-run=script`.",
            )
        if run_choice.action_for(status) == "is_active":
            raise active(run, Manner(), status)
        reconcile([run])
        fingerprint.check(run, request.fingerprint)
    if not run.path.exists():
        layout.make_folder(run.path, request.site.run_folder_mode)
    plan = request.plan(run.path, scheduler)
    prepare(run, request.spec, plan, request.base, request.code, request.fingerprint)
    reopen(run)
    scheduler.submission_of(rank_info).save(run)
    return 0


def _show_complete(run: RunDir, manner: Manner) -> int:
    found = summary.summarise(run)
    if manner.as_json:
        print_json({**_job(run), **summary.as_json(found)})
        return 0
    out = console()
    out.print(f"{run.id} has trained this already; --new trains it again.")
    summary.show(found, out)
    return 0


def _job(run: RunDir) -> dict[str, object]:
    submission = submissions.find(run).submission
    said = dataclasses.asdict(submission) if submission else {}
    return {
        "run": run.id,
        "run_dir": str(run.path),
        "backend": said.get("backend"),
        "job_id": said.get("job_id"),
    }


def _hand_over(run: RunDir, plan: Plan) -> None:
    try:
        submit(run, plan)
    except Unconfirmed:
        raise
    except UserError as error:
        journal = Journal(run.journal)
        journal.append("state", state="failed", reason=f"not submitted: {error.message}")
        journal.close()
        raise
