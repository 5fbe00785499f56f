"""The rehearsal of a job: a few steps through the worker that the job would run, here and now.

Everything is scratch, the run folder and the store, and removed whatever happens.
"""

from __future__ import annotations

import contextlib
import dataclasses
import os
import shutil
import signal
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from types import FrameType

from rich.text import Text

from hpc_dl.cli import estimate, logs, show_plan
from hpc_dl.cli.job_request import Request
from hpc_dl.cli.runs import print_json
from hpc_dl.cli.screen import console
from hpc_dl.cli.show_plan import Outlook
from hpc_dl.errors import EXIT_FAILED, UserError
from hpc_dl.jobspec.job import JobSpec
from hpc_dl.planning.plan import Plan
from hpc_dl.run import journal, layout
from hpc_dl.run.layout import RunDir
from hpc_dl.run.submission import Submission
from hpc_dl.run.waiting import wait_until
from hpc_dl.scheduler import registry
from hpc_dl.scheduler.base import Job
from hpc_dl.scheduler.submit import submit
from hpc_dl.status import read_status
from hpc_dl.submission.prepare import prepare
from hpc_dl.tracking.sync import is_pending

STEPS = 6
"""Optimizer steps of a rehearsal, half of them before its interruption."""
LOG_LINES = 20
LOOK_SECONDS = 0.1
END_SECONDS = 10.0
"""How long processes that were killed may take to be gone."""


def run(request: Request, outlook: Outlook, *, as_json: bool) -> int:
    """Show the plan, rehearse it, and report what the job will take. Raises UserError (1)."""
    out = console(for_json=as_json)
    if not as_json:
        show_plan.show(outlook, out)
    out.print(Text.assemble("\n", ("rehearsal", "bold"), ", on this machine"))
    with _scratch() as root:
        folder, trial = _prepare(request, outlook.plan, root)
        try:
            if trial.pause_at:
                _perform(folder, trial, "stopped")
                out.print(Text(f"  done: {trial.pause_at} steps and a checkpoint"))
            _perform(folder, trial, "completed")
            out.print(Text("  done: a resume from it, more steps, evaluation, pictures, export"))
            stored = not is_pending(folder)
            out.print(Text("  done: brought to a scratch store" if stored else "  not tracked"))
            found = estimate.measure(folder, trial, outlook.plan)
            warnings = _warnings(folder)
        finally:
            _end(folder)
    if as_json:
        print_json(
            {
                **show_plan.as_json(outlook),
                "rehearsal": {**dataclasses.asdict(found), "warnings": warnings},
            }
        )
    else:
        estimate.show(found, out)
        for message in warnings:
            out.print(Text(f"warning: {message}", style="bold yellow"), soft_wrap=True)
    return 0


def _warnings(run: RunDir) -> list[str]:
    """What the rehearsal has warned of, each once."""
    said = (event for event in journal.view(run.journal) if event["event"] == "warning")
    return list(dict.fromkeys(event["message"] for event in said))


def _prepare(request: Request, plan: Plan, root: Path) -> tuple[RunDir, Plan]:
    """A run folder in `root` of a few steps, each rank with the batch that it has in `plan`."""
    short = dataclasses.replace(request, spec=_shortened(request.spec, plan.steps), run_root=root)
    short = dataclasses.replace(short, site=request.site.model_copy(update={"tracking_uri": None}))
    folder = layout.create(root, request.spec.name)
    local = registry.get(registry.LOCAL)
    ranks = short.plan(folder.path, local).world_size
    data = short.spec.data.model_copy(update={"batch_size": plan.rank_batch * ranks})
    short = dataclasses.replace(short, spec=short.spec.model_copy(update={"data": data}))
    trial = short.plan(folder.path, local)
    trial = dataclasses.replace(trial, pause_at=trial.steps // 2)
    prepare(folder, short.spec, trial, request.base, request.code, request.fingerprint)
    return folder, trial


def _shortened(spec: JobSpec, steps: int) -> JobSpec:
    changes = {"steps": min(STEPS, steps), "epochs": None, "log_every": 1, "early_stopping": None}
    tracking = spec.tracking.model_copy(update={"uri": None})
    train = spec.train.model_copy(update=changes)
    return spec.model_copy(update={"train": train, "tracking": tracking})


def _perform(run: RunDir, plan: Plan, expected: str) -> None:
    """Start the run and wait for its end. Raises UserError if it is not the expected one."""
    submission = submit(run, plan)
    while (status := read_status(run)).state not in journal.ENDED or _is_alive(run, submission):
        time.sleep(LOOK_SECONDS)
    if status.state != expected:
        tail = "\n".join(f"  | {line}" for line in logs.tail(run, LOG_LINES))
        raise UserError(
            f"the rehearsal failed: {status.reason}",
            hint=f"The end of its log:\n{tail}",
            exit_code=EXIT_FAILED,
        )


def _is_alive(run: RunDir, submission: Submission) -> bool:
    """Return whether any process of the job is left."""
    (status,) = registry.query([Job(run, submission)])
    return status.phase == "running"


@contextlib.contextmanager
def _scratch() -> Iterator[Path]:
    """A folder that is gone afterwards, also after Ctrl-C, a closed terminal, or a `kill`."""

    def interrupt(number: int, frame: FrameType | None) -> None:
        raise KeyboardInterrupt

    former = {it: signal.signal(it, interrupt) for it in (signal.SIGTERM, signal.SIGHUP)}
    root = Path(tempfile.mkdtemp(prefix="hpcdl-rehearsal-"))
    folder = os.environ.get("TMPDIR")
    os.environ["TMPDIR"] = str(root)  # for the caches that libraries put there
    try:
        yield root
    finally:
        shutil.rmtree(root, ignore_errors=True)
        os.environ.pop("TMPDIR")
        os.environ.update({"TMPDIR": folder} if folder else {})
        for number, handler in former.items():
            signal.signal(number, handler)


def _end(run: RunDir) -> None:
    """Leave no process of the run behind."""
    submission = Submission.load(run)
    if submission and (group := submission.group):
        wait_until(lambda: _is_gone(group), END_SECONDS, LOOK_SECONDS)


def _is_gone(group: int) -> bool:
    """Kill a process group; return whether nothing was left of it."""
    try:
        os.killpg(group, signal.SIGKILL)
    except ProcessLookupError:
        return True
    return False
