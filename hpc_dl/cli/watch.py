"""Report a submitted run, and watch it until it ends."""

from __future__ import annotations

import shlex
from dataclasses import dataclass

from rich.text import Text

from hpc_dl.cli import common, live, logs, summary
from hpc_dl.cli.common import console, print_json
from hpc_dl.planning.plan import Plan
from hpc_dl.run import records
from hpc_dl.run.layout import RunDir
from hpc_dl.run.monitor import RunMonitor
from hpc_dl.run.submission import Submission, name_job
from hpc_dl.scheduler import recovery, registry
from hpc_dl.status import read_status, reconcile

LOG_LINES = 15
"""How much of its log is shown of a run that failed."""


@dataclass(frozen=True)
class ReportOptions:
    """Options of the report on a run: follow it, as JSON, at which site."""

    follow: bool = False
    as_json: bool = False
    site: str | None = None

    def next_commands(self, run: RunDir) -> str:
        """Return the commands that are useful next, one a line."""
        site = f" --site {shlex.quote(self.site)}" if self.site else ""
        lines = {
            f"hpcdl status {run.id}{site}": "its state and progress",
            f"hpcdl attach {run.id}{site}": "watch it; Ctrl-C ends the watching alone",
            f"hpcdl logs {run.id} -f{site}": "its log, as it grows",
            f"hpcdl cancel {run.id}{site}": "stop it; `hpcdl submit` again resumes it",
            f"{summary.DASHBOARD}{site}": "metrics and pictures of all runs",
        }
        return common.command_list(lines)


def report(run: RunDir, plan: Plan, start: str, offset: int, options: ReportOptions) -> int:
    """Print that a run is submitted, and watch it if it is local or to be followed.

    `start` says from where it trains; its journal is shown from byte `offset` on.
    """
    out, submission = console(for_json=options.as_json), Submission.load(run)
    assert submission is not None
    job = name_job(submission.backend, submission.job_id)
    out.print(Text.assemble((run.id, "bold"), f": {job}, {start}"), soft_wrap=True)
    for note in plan.notes:
        out.print(Text(f"note: {note}"), soft_wrap=True)
    if options.follow or registry.get(plan.backend).on_this_machine:
        return watch(run, offset, options)
    if options.as_json:
        print_json({**_job(run), "state": read_status(run).state})
    else:
        out.print(Text(options.next_commands(run)), soft_wrap=True)
    return 0


def watch(run: RunDir, offset: int, options: ReportOptions) -> int:
    """Show a run until it ends, from byte `offset` of its journal on; return the exit code.

    Ctrl-C ends the watching alone.
    """
    out = console(for_json=options.as_json)
    monitor = RunMonitor(run, records.load(run.plan, Plan), offset)
    try:
        live.follow(monitor, lambda: read_status(run), out)
    except KeyboardInterrupt:
        out.print(
            Text(f"\n{run.id} continues to run.\n{options.next_commands(run)}"), soft_wrap=True
        )
        raise
    reconcile([run])
    found = summary.summarise(run)
    found.state, found.reason = monitor.state, monitor.reason
    if monitor.state == "failed":
        for line in logs.tail(run, LOG_LINES):
            out.print(Text(f"  | {line}", style="dim"), soft_wrap=True)
    if options.as_json:
        print_json({**_job(run), **summary.to_json(found)})
    else:
        summary.show(found, out)
    return 0 if monitor.state in ("completed", "paused") else common.failure_code(run)


def show_complete(run: RunDir, options: ReportOptions) -> int:
    """Show the results of a run that is complete already; return the exit code."""
    found = summary.summarise(run)
    if options.as_json:
        print_json({**_job(run), **summary.to_json(found)})
        return 0
    out = console()
    out.print(
        f"{run.id} has trained this already; `hpcdl submit --new` of its job spec trains it again."
    )
    summary.show(found, out)
    return 0


def _job(run: RunDir) -> dict[str, object]:
    submission = recovery.find(run).submission
    return {
        "run": run.id,
        "run_dir": str(run.path),
        "backend": submission.backend if submission else None,
        "job_id": submission.job_id if submission else None,
    }
