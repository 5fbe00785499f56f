"""What would be submitted, and as which run; nothing is written."""

from __future__ import annotations

import json
import shlex
from pathlib import Path

from hpc_dl.cli.job_request import Request
from hpc_dl.cli.run_choice import Choice, saved_step
from hpc_dl.cli.show_plan import Outlook
from hpc_dl.errors import UserError, first_few
from hpc_dl.installed import PYTHON
from hpc_dl.jobspec.credentials import hidden
from hpc_dl.jobspec.slurm import key_of
from hpc_dl.planning.plan import Plan
from hpc_dl.run import layout
from hpc_dl.scheduler import registry
from hpc_dl.scheduler.base import Scheduler
from hpc_dl.user_code import MANIFEST


def outlook(request: Request, choice: Choice, scheduler: Scheduler) -> Outlook:
    """The plan of the run that would be started or gone on with, and the script of its job."""
    run_dir = folder(request, choice)
    plan = request.plan(run_dir, scheduler)
    notes, text = _notes(request), ""
    cluster = registry.get(request.site.scheduler)
    try:
        text = cluster.script(plan if scheduler is cluster else request.plan(run_dir, cluster))
    except UserError as error:  # what this machine can do, the site's cluster may refuse
        notes.append(f"no {cluster.name} job on site {request.site.name}: {error.message}")
    return Outlook(
        request.spec,
        plan,
        scheduler,
        request.site,
        sentence(choice, run_dir.name),
        text,
        scheduler.expected_start(plan),
        notes,
    )


def _notes(request: Request) -> list[str]:
    """Which files of the user's own the run gets a copy of."""
    files = [name for name in request.code.files if name != MANIFEST]
    return [f"code: a copy of {first_few(files, 8)}"] if files else []


def folder(request: Request, choice: Choice) -> Path:
    """The folder of the run that goes on, or the one that a new run would get."""
    if choice.action == "go_on" and choice.run:
        return choice.run.path
    return request.run_root / layout.next_id(request.run_root, request.spec.name)


def sentence(choice: Choice, run_id: str) -> str:
    """Which run it will be, and why."""
    if choice.run is None:
        return f"{run_id}, a new run" + (f": {choice.changed}" if choice.changed else "")
    state = choice.status.state if choice.status else ""
    match choice.action:
        case "go_on":
            return f"{run_id}, {state}: goes on from step {saved_step(choice.run)}"
        case "is_active":
            return f"{choice.run.id} of this training is {state}; --new would start {run_id}"
        case _:
            return f"{choice.run.id} has trained this already; --new would start {run_id}"


def job_script(request: Request, choice: Choice, site: str | None) -> str:
    """Return a script that can be submitted by hand: as it starts, it makes the run folder."""
    for word in request.words:
        if word != hidden(word):
            raise UserError(
                f"`{hidden(word)}` holds a password, which would stand in the script",
                hint="Let it be in the spec, or in MLFLOW_TRACKING_URI when the job is submitted.",
            )
    run_dir, scheduler = folder(request, choice), registry.get(request.site.scheduler)
    plan = request.plan(run_dir, scheduler)
    hpcdl = [*PYTHON, "-m", "hpc_dl", "submit", str(request.file.absolute())]
    where = ["--site", str(Path(site).absolute()) if Path(site).is_file() else site] if site else []
    words = [*request.words, *_words_of_variables(plan)]
    prepare = shlex.join([*hpcdl, *words, *where, "--prepare", str(run_dir)])
    return scheduler.script(plan, prepare)


def _words_of_variables(plan: Plan) -> list[str]:
    """Return what sbatch's variables ask for now, as overrides: a job has variables of its own."""
    words = []
    for option, variable in plan.origins.items():
        if option in ("requeue", "no-requeue"):
            raise UserError(
                f"{variable} would be forgotten by the script",
                hint="Write `requeue: false` or `requeue: true` in the site's file, and unset it.",
            )
        key = key_of(option)
        value = plan.gpus_per_node if key == "resources.gpus_per_node" else plan.sbatch[option]
        words.append(f"{key}={json.dumps(value)}")
    return words
