"""A plan as people read it and as programs do."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from rich.console import Console
from rich.table import Table
from rich.text import Text

from hpc_dl.errors import first_few
from hpc_dl.jobspec import units
from hpc_dl.jobspec.credentials import hidden
from hpc_dl.jobspec.job import JobSpec
from hpc_dl.planning.plan import Plan
from hpc_dl.planning.site import Site
from hpc_dl.scheduler.base import Scheduler

MOST_COLUMNS = 40
"""Of a table, that are shown one by one."""
MOST_LETTERS = 30
MOST_CLASSES = 20


@dataclass(frozen=True)
class Outlook:
    """A plan and what is known around it, before anything is submitted."""

    spec: JobSpec
    plan: Plan
    scheduler: Scheduler
    site: Site
    run: str
    """Which run this will be, as a sentence."""
    script: str
    """The job script; for a local run the one that the site's cluster would get."""
    start: str = ""
    """What the scheduler says of the start, where it can tell."""
    notes: list[str] = field(default_factory=list)


def as_json(outlook: Outlook) -> dict[str, Any]:
    """Everything that `show` shows."""
    plan = outlook.plan
    derived = {
        "run_id": plan.run_id,
        "world_size": plan.world_size,
        "micro_batches": plan.micro_batches,
        "gpus": plan.nodes * plan.gpus_per_node,
        "examples_seen": plan.examples_seen(plan.steps),
    }
    return {
        "run": outlook.run,
        "site": outlook.site.name,
        "plan": {**plan.without_password().to_json(), **derived},
        "spec": outlook.spec.without_password().model_dump(mode="json"),
        "notes": [*plan.notes, *outlook.notes],
        "start": outlook.start or None,
        "script": outlook.script,
    }


def show(outlook: Outlook, console: Console) -> None:
    """Print a plan for people, the job script at the end and unwrapped."""
    table = Table.grid(padding=(0, 2))
    table.add_column(style="bold", no_wrap=True)
    table.add_column(overflow="fold")
    for name, value in rows(outlook):
        table.add_row(name, Text(value))
    console.print(table)
    local = outlook.scheduler.on_this_machine
    what = f"job script for {outlook.site.scheduler}" + (
        ", as it would be submitted" if local else ""
    )
    console.print(f"\n{what}", style="bold")
    console.print(Text(outlook.script.rstrip("\n")), soft_wrap=True)


def rows(outlook: Outlook) -> list[tuple[str, str]]:
    """The plan as names and values, line by line."""
    spec, plan = outlook.spec, outlook.plan
    lines = [
        ("run", outlook.run),
        ("model", _with_options(spec.model.name, spec.model.model_dump(mode="json"))),
        ("data", _data(spec, plan)),
        ("fingerprint", f"{plan.fingerprint[:12]}, of the data that are there now"),
        *([("classes", _classes(plan.facts.classes))] if plan.facts.classes else []),
        *([("columns", _columns(plan))] if plan.facts.raw else []),
        *([("split", _split(spec, plan))] if spec.data.drawn else []),
        ("loading", _loading(plan)),
        ("where", _where(outlook)),
        ("ranks", _ranks(plan)),
        ("batch", _batch(plan)),
        ("length", _length(plan)),
        ("time limit", _limit(outlook)),
        ("checkpoint", f"every {spec.checkpoint.every}, the newest {spec.checkpoint.keep} kept"),
        ("store", f"{hidden(plan.tracking_uri)}, experiment {spec.tracking.experiment}"),
        ("run folder", plan.run_dir),
    ]
    lines += [("environment", _environment(plan))] if plan.origins or plan.environment else []
    lines += [("start", outlook.start)] if outlook.start else []
    return lines + [("note", note) for note in (*plan.notes, *outlook.notes)]


def _with_options(name: str, options: dict[str, Any]) -> str:
    said = [f"{key} {value}" for key, value in options.items() if key != "name"]
    return f"{name}: {', '.join(said)}" if said else name


def _data(spec: JobSpec, plan: Plan) -> str:
    facts = plan.facts
    shape = " x ".join(map(str, facts.shape))
    classes = f", {len(facts.classes)} classes" if facts.classes else ""
    place = ""
    if "root" in type(spec.data).model_fields:
        folder = getattr(spec.data, "root", None) or f"{plan.data_root}/{spec.data.name}"
        place = f"; staged in {folder}"
    return (
        f"{spec.data.name}: {_many(facts.train, 'training example')}, {facts.validation} "
        f"validation, {facts.test} test; {facts.kind} {shape}{classes}{place}"
    )


def _classes(names: tuple[str, ...]) -> str:
    """The names of the classes in the order of their numbers."""
    return first_few(names, MOST_CLASSES)


def _split(spec: JobSpec, plan: Plan) -> str:
    """How examples are divided."""
    data, groups = spec.data, plan.facts.groups
    said = [
        f"{' and '.join(data.drawn)} drawn with split_seed {data.split_seed}, where the data have "
        "none of their own"
    ]
    if data.folds:
        said.append(f"the test is fold {data.fold} of {data.folds}, counted from 0")
    if groups:
        by = getattr(data, "groups", None) or "group"
        said.append(f"{_many(groups, 'group')} by '{by}', each in one split")
    return "; ".join(said)


def _columns(plan: Plan) -> str:
    """The columns of a table's file, one a line: what they are, and what is in them."""
    raw = plan.facts.raw
    wide = min(max(len(it.name) for it in raw), MOST_LETTERS)
    lines = [
        f"{it.name:{wide}}  {it.part:7}  {it.type:6}  {_many(it.values, 'value')}"
        + (f", {_many(it.gaps, 'gap')}" if it.gaps else "")
        for it in raw[:MOST_COLUMNS]
    ]
    more = [f"and {len(raw) - MOST_COLUMNS} more"] if len(raw) > MOST_COLUMNS else []
    return "\n".join(lines + more)


def _loading(plan: Plan) -> str:
    if plan.workers is None:
        return "resident: all examples in memory, decoded once"
    by = _many(plan.workers, "process", "es") + " of each rank" if plan.workers else "the ranks"
    return f"streaming: decoded while training, by {by}"


def _where(outlook: Outlook) -> str:
    plan = outlook.plan
    if outlook.scheduler.on_this_machine:
        return "this machine"
    partition = plan.sbatch.get("partition")
    return f"{plan.backend}, site {outlook.site.name}" + (
        f", partition {partition}" if partition else ""
    )


def _ranks(plan: Plan) -> str:
    gpus = plan.nodes * plan.gpus_per_node
    return (
        f"{_many(plan.nodes, 'node')} x {_many(plan.tasks_per_node, 'task')} = world size "
        f"{plan.world_size}; {_many(gpus, 'GPU') if gpus else 'no GPU'}, "
        f"{_many(plan.cpus_per_task, 'core')} per task"
    )


def _batch(plan: Plan) -> str:
    passes = _many(plan.micro_batches, "forward and backward pass", "es")
    return (
        f"{plan.global_batch} global, {plan.rank_batch} per rank, {plan.micro_batch} micro "
        f"({passes} a step)"
    )


def _length(plan: Plan) -> str:
    return (
        f"{_many(plan.epochs, 'epoch')}, {_many(plan.steps_per_epoch, 'step')} per epoch, "
        f"{_many(plan.steps, 'step')} in all"
    )


def _limit(outlook: Outlook) -> str:
    if outlook.scheduler.on_this_machine:
        return "none on this machine"
    plan = outlook.plan
    again = "followed by another job" if plan.follow_up else "requeued"
    requeues = f"{again} up to {_many(plan.requeues, 'time')}" if plan.requeues else "no requeue"
    return f"{units.clock(plan.seconds)}, {requeues}"


def _environment(plan: Plan) -> str:
    """What the job has from the variables of the submission, by their names."""
    said = []
    for option, variable in plan.origins.items():
        value = plan.sbatch.get(option, True)
        said.append(f"{option}{'' if value is True else f' {value}'} (from {variable})")
    if plan.environment:
        said.append(f"set for the tasks: {' '.join(plan.environment)}")
    if plan.secrets:
        said.append(f"set from a file that you alone can read: {' '.join(plan.secrets)}")
    return "; ".join(said)


def _many(count: int, noun: str, plural: str = "s") -> str:
    return f"{count} {noun}{'' if count == 1 else plural}"
