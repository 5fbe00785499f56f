"""Preview of a submission: its plan, its script and its run. Nothing is written."""

from __future__ import annotations

import json
import math
import shlex
from dataclasses import dataclass, field
from pathlib import Path

from hpc_dl.cli.job_request import JobRequest
from hpc_dl.cli.run_choice import RunChoice, saved_step
from hpc_dl.errors import UserError, first_few
from hpc_dl.installed import PYTHON
from hpc_dl.jobspec.credentials import hidden
from hpc_dl.jobspec.job import JobSpec
from hpc_dl.jobspec.slurm import key_of
from hpc_dl.planning.plan import Plan
from hpc_dl.planning.site import Site
from hpc_dl.run import layout
from hpc_dl.run.initial_weights import InitialWeights
from hpc_dl.scheduler import registry
from hpc_dl.scheduler.base import Scheduler
from hpc_dl.submission import resumed_code
from hpc_dl.user_code import MANIFEST


@dataclass(frozen=True)
class Preview:
    """A plan and what is known about its submission, before anything is submitted."""

    spec: JobSpec
    plan: Plan
    scheduler: Scheduler
    site: Site
    run: str
    """Which run this will be, as a sentence."""
    script: str
    """The job script; of a local run, the one for the site's cluster."""
    start: str = ""
    """The expected start, where the scheduler can tell."""
    notes: list[str] = field(default_factory=list)
    begins_with: str = ""
    """The initial weights, as a sentence, where `model.init_from` names some."""


def preview(request: JobRequest, choice: RunChoice, scheduler: Scheduler) -> Preview:
    """Return the plan of the run that would be started or resumed, and the script of its job."""
    run_dir = planned_folder(request, choice)
    plan = request.plan(run_dir, scheduler)
    notes, text = _notes(request), ""
    if choice.action == "resume" and choice.run and (code := resumed_code.describe(choice.run)):
        notes.append(code)
    cluster = registry.get(request.site.scheduler)
    try:
        text = cluster.script(plan if scheduler is cluster else request.plan(run_dir, cluster))
    except UserError as error:  # a plan for this machine may not suit the cluster
        notes.append(f"no job script for site {request.site.name}: {error.message}")
    return Preview(
        request.spec,
        plan,
        scheduler,
        request.site,
        sentence(choice, run_dir.name),
        text,
        scheduler.expected_start(plan),
        notes,
        _initial(request.initial),
    )


def _initial(initial: InitialWeights | None) -> str:
    if initial is None:
        return ""
    shapes = initial.shapes()
    size = f"{initial.file.stat().st_size:,} bytes"
    if shapes is not None:
        weights = sum(map(math.prod, shapes.values()))
        size = f"{len(shapes)} tensors, {weights:,} numbers"
    return f"{initial.source.name}: {size}; the log of the run says what of them is taken"


def _notes(request: JobRequest) -> list[str]:
    """List the user's own files that the run gets a copy of."""
    files = [name for name in request.code.files if name != MANIFEST]
    return [f"code: a copy of {first_few(files, 8)}"] if files else []


def planned_folder(request: JobRequest, choice: RunChoice) -> Path:
    """Return the folder of the run that is resumed, or the one that a new run would get."""
    if choice.action == "resume" and choice.run:
        return choice.run.path
    return request.run_root / layout.next_id(request.run_root, request.spec.name)


def sentence(choice: RunChoice, run_id: str) -> str:
    """Say which run it will be, and why."""
    if choice.run is None:
        return f"{run_id}, a new run" + (f": {choice.changed}" if choice.changed else "")
    state = choice.status.state if choice.status else ""
    match choice.action:
        case "resume":
            return f"{run_id}, {state}: resumes from step {saved_step(choice.run)}"
        case "is_active":
            return f"{choice.run.id} of this training is {state}; --new would start {run_id}"
        case _:
            return f"{choice.run.id} has trained this already; --new would start {run_id}"


def job_script(request: JobRequest, choice: RunChoice, site: str | None) -> str:
    """Return a script that can be submitted by hand: as it starts, it makes the run folder."""
    for override in request.overrides:
        if override != hidden(override):
            raise UserError(
                f"`{hidden(override)}` holds a password, which would stand in the script",
                hint="Let it be in the spec, or in MLFLOW_TRACKING_URI when the job is submitted.",
            )
    run_dir, scheduler = planned_folder(request, choice), registry.get(request.site.scheduler)
    plan = request.plan(run_dir, scheduler)
    hpcdl = [*PYTHON, "-m", "hpc_dl", "submit", str(request.file.absolute())]
    where = ["--site", str(Path(site).absolute()) if Path(site).is_file() else site] if site else []
    overrides = [*request.overrides, *_overrides_of_variables(plan)]
    prepare = shlex.join([*hpcdl, *overrides, *where, "--prepare", str(run_dir)])
    return scheduler.script(plan, prepare)


def _overrides_of_variables(plan: Plan) -> list[str]:
    """Return what sbatch's variables ask for now, as overrides: a job has variables of its own."""
    overrides = []
    for option, variable in plan.origins.items():
        if option in ("requeue", "no-requeue"):
            raise UserError(
                f"{variable} would have no effect in the script",
                hint="Write `requeue: false` or `requeue: true` in the site's file, and unset it.",
            )
        key = key_of(option)
        value = plan.gpus_per_node if key == "resources.gpus_per_node" else plan.sbatch[option]
        overrides.append(f"{key}={json.dumps(value)}")
    return overrides
