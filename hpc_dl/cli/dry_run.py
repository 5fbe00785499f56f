"""Dry run of a job: a few steps here and now, by the worker that the job would run.

Run folder and store are temporary, and removed whatever happens.
"""

from __future__ import annotations

import contextlib
import dataclasses
import math
import os
import shutil
import signal
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING, Any

from rich.text import Text

from hpc_dl.cli import estimate, logs, show_plan
from hpc_dl.cli.common import console, print_json
from hpc_dl.cli.estimate import Estimate
from hpc_dl.cli.job_request import JobRequest
from hpc_dl.cli.preview import Preview
from hpc_dl.errors import EXIT_FAILED, UserError
from hpc_dl.jobspec.job import JobSpec, Notify
from hpc_dl.planning.plan import Plan
from hpc_dl.run import journal, layout, records
from hpc_dl.run.layout import RunDir
from hpc_dl.run.submission import Submission
from hpc_dl.run.waiting import wait_until
from hpc_dl.scheduler import registry
from hpc_dl.scheduler.base import Job
from hpc_dl.scheduler.submit import submit
from hpc_dl.status import read_status
from hpc_dl.submission.prepare import prepare, replan
from hpc_dl.tracking.sync import is_pending

if TYPE_CHECKING:
    from rich.console import Console

FIRST_STEPS = 3
"""Optimizer steps before the interruption of a dry run; their speed says how many come after it."""
LOG_LINES = 20
POLL_SECONDS = 0.1
END_SECONDS = 10.0
"""How long killed processes may take to end."""


def run(request: JobRequest, preview: Preview, *, as_json: bool) -> int:
    """Show the plan, train a few steps, and estimate what the job takes. Raises UserError (1)."""
    out = console(for_json=as_json)
    if not as_json:
        show_plan.show(preview, out)
    found, warnings = rehearse(request, preview.plan, out)
    if as_json:
        print_json({**show_plan.to_json(preview), "rehearsal": to_json(found, warnings)})
    else:
        show(found, warnings, out)
    return 0


def rehearse(request: JobRequest, plan: Plan, out: Console) -> tuple[Estimate, list[str]]:
    """Train a few steps; return what the job takes, and warnings. Raises UserError (1)."""
    out.print(Text.assemble("\n", ("dry run", "bold"), ", on this machine"))
    with _temporary_root() as root:
        folder, trial = _prepare(request, plan, root)
        try:
            if trial.pause_at:
                _train(folder, trial, "paused")
                out.print(Text(f"  done: {trial.pause_at} steps and a checkpoint"))
                trial = _steady(request, folder, trial)
            begun = time.time()
            _train(folder, trial, "completed")
            done = f"a resume from it, up to step {trial.steps}, evaluation, pictures, export"
            out.print(Text(f"  done: {done}"))
            stored = not is_pending(folder)
            out.print(Text("  done: synced to a temporary store" if stored else "  not tracked"))
            return estimate.measure(folder, trial, plan, begun), _warnings(folder)
        finally:
            _end(folder)


def to_json(found: Estimate, warnings: list[str]) -> dict[str, Any]:
    """Return everything that `show` prints."""
    return {**dataclasses.asdict(found), "warnings": warnings}


def show(found: Estimate, warnings: list[str], out: Console) -> None:
    """Print an estimate and the warnings for people."""
    estimate.show(found, out)
    for message in warnings:
        out.print(Text(f"warning: {message}", style="bold yellow"), soft_wrap=True)


def _warnings(run: RunDir) -> list[str]:
    """Return the warnings of the dry run, each once."""
    warnings = (event for event in journal.view(run.journal) if event["event"] == "warning")
    return list(dict.fromkeys(event["message"] for event in warnings))


def _prepare(request: JobRequest, plan: Plan, root: Path) -> tuple[RunDir, Plan]:
    """Prepare a run of a few steps in `root`, with the batch size per rank that `plan` has."""
    short = dataclasses.replace(request, spec=_alone(request.spec), run_root=root)
    short = dataclasses.replace(short, site=request.site.model_copy(update={"tracking_uri": None}))
    folder = layout.create(root, request.spec.name)
    local = registry.get(registry.LOCAL)
    ranks = short.plan(folder.path, local).world_size
    data = short.spec.data.model_copy(update={"batch_size": plan.rank_batch * ranks})
    short = dataclasses.replace(short, spec=short.spec.model_copy(update={"data": data}))
    trial = short.plan(folder.path, local)
    trial = dataclasses.replace(trial, pause_at=min(FIRST_STEPS, trial.steps // 2))
    prepare(
        folder, short.spec, trial, request.base, request.code, request.fingerprint, request.initial
    )
    return folder, trial


def _steady(request: JobRequest, run: RunDir, trial: Plan) -> Plan:
    """Plan the rest of a dry run: as many steps as it takes to measure their speed, in epochs that
    are short enough for several evaluations."""
    more, between = estimate.steady_length(run, trial)
    steps = min((trial.pause_at or 0) + more, trial.steps)
    epoch = min(between, trial.steps_per_epoch)
    epochs = math.ceil(steps / epoch)
    trial = dataclasses.replace(
        trial, steps=steps, steps_per_epoch=epoch, epochs=epochs, pause_at=None
    )
    spec = records.load_spec(run)
    train = spec.train.model_copy(update={"log_every": request.spec.train.log_every})
    replan(run, spec.model_copy(update={"train": train}), trial)
    return trial


def _alone(spec: JobSpec) -> JobSpec:
    """Return a spec that reports each step, and tells nobody else."""
    changes = {"log_every": 1, "early_stopping": None}
    tracking = spec.tracking.model_copy(update={"uri": None, "register_as": None})
    train = spec.train.model_copy(update=changes)
    changed = {"train": train, "tracking": tracking, "after": [], "notify": Notify()}
    return spec.model_copy(update=changed)


def _train(run: RunDir, plan: Plan, expected: str) -> None:
    """Start the run and wait for its end. Raises UserError unless it ends in this state."""
    submission = submit(run, plan)
    while (status := read_status(run)).state not in journal.ENDED or _is_alive(run, submission):
        time.sleep(POLL_SECONDS)
    if status.state != expected:
        tail = "\n".join(f"  | {line}" for line in logs.tail(run, LOG_LINES))
        raise UserError(
            f"the dry run failed: {status.reason}",
            hint=f"The end of its log:\n{tail}",
            exit_code=EXIT_FAILED,
        )


def _is_alive(run: RunDir, submission: Submission) -> bool:
    """Return whether any process of the job is left."""
    (status,) = registry.query([Job(run, submission)])
    return status.phase == "running"


@contextlib.contextmanager
def _temporary_root() -> Iterator[Path]:
    """Make a folder that is removed at the end, also after Ctrl-C, SIGTERM or a closed terminal."""

    def interrupt(number: int, frame: FrameType | None) -> None:
        raise KeyboardInterrupt

    former = {it: signal.signal(it, interrupt) for it in (signal.SIGTERM, signal.SIGHUP)}
    root = Path(tempfile.mkdtemp(prefix="hpcdl-dry-run-"))
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
    """Kill all processes of the run."""
    submission = Submission.load(run)
    if submission and (group := submission.group):
        wait_until(lambda: _is_gone(group), END_SECONDS, POLL_SECONDS)


def _is_gone(group: int) -> bool:
    """Kill a process group; return whether it had ended already."""
    try:
        os.killpg(group, signal.SIGKILL)
    except ProcessLookupError:
        return True
    return False
