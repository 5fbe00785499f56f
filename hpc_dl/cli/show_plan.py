"""Print a plan, for people or as JSON."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from rich.console import Console
from rich.table import Table
from rich.text import Text

from hpc_dl.cli.class_table import format_classes
from hpc_dl.cli.preview import Preview
from hpc_dl.jobspec import units
from hpc_dl.jobspec.credentials import hidden
from hpc_dl.jobspec.data import Column
from hpc_dl.jobspec.job import JobSpec
from hpc_dl.planning import data_loading
from hpc_dl.planning.plan import Plan

MAX_COLUMNS = 40
"""How many columns of a data table are listed."""
MAX_NAME_WIDTH = 30
COLUMN_TYPES = {"bool": "true/false"}
"""Types of columns for people, where they have another name in the facts."""


def to_json(preview: Preview) -> dict[str, Any]:
    """Return everything that `show` prints."""
    plan = preview.plan
    derived = {
        "run_id": plan.run_id,
        "world_size": plan.world_size,
        "micro_batches": plan.micro_batches,
        "gpus": plan.nodes * plan.gpus_per_node,
        "examples_seen": plan.examples_seen(plan.steps),
    }
    return {
        "run": preview.run,
        "site": preview.site.name,
        "plan": {**plan.without_password().to_json(), **derived},
        "spec": preview.spec.without_password().model_dump(mode="json"),
        "notes": [*plan.notes, *preview.notes],
        "start": preview.start or None,
        "script": preview.script,
    }


def show(preview: Preview, console: Console) -> None:
    """Print a plan for people, the job script at the end and unwrapped."""
    table = Table.grid(padding=(0, 2))
    table.add_column(style="bold", no_wrap=True)
    table.add_column(overflow="fold")
    for name, value in rows(preview):
        table.add_row(name, Text(value))
    console.print(table)
    local = preview.scheduler.on_this_machine
    what = f"job script for {preview.site.scheduler}" + (
        ", as it would be submitted" if local else ""
    )
    console.print(f"\n{what}", style="bold")
    console.print(Text(preview.script.rstrip("\n")), soft_wrap=True)


def rows(preview: Preview) -> list[tuple[str, str]]:
    """Return the plan as names and values, line by line."""
    spec, plan = preview.spec, preview.plan
    lines = [
        ("run", preview.run),
        ("model", _with_options(spec.model.name, spec.model.model_dump(mode="json"))),
        ("data", _data(spec, plan)),
        ("fingerprint", f"{plan.fingerprint[:12]}, of the data that are there now"),
        *([("classes", format_classes(plan.facts))] if plan.facts.classes else []),
        *([("columns", _columns(plan))] if plan.facts.raw else []),
        *([("split", _split(spec, plan))] if spec.data.drawn else []),
        ("loading", _loading(plan)),
        ("where", _where(preview)),
        ("ranks", _ranks(plan)),
        ("batch", _batch(plan)),
        ("length", _length(plan)),
        ("time limit", _limit(preview)),
        ("checkpoint", f"every {spec.checkpoint.every}, the newest {spec.checkpoint.keep} kept"),
        ("store", f"{hidden(plan.tracking_uri)}, experiment {spec.tracking.experiment}"),
        ("run folder", plan.run_dir),
    ]
    lines += [("environment", _environment(plan))] if plan.origins or plan.environment else []
    lines += [("start", preview.start)] if preview.start else []
    return lines + [("note", note) for note in (*plan.notes, *preview.notes)]


def _with_options(name: str, options: dict[str, Any]) -> str:
    listed = [f"{key} {value}" for key, value in options.items() if key != "name"]
    return f"{name}: {', '.join(listed)}" if listed else name


def _data(spec: JobSpec, plan: Plan) -> str:
    facts = plan.facts
    shape = " x ".join(map(str, facts.shape))
    classes = f", {len(facts.classes)} classes" if facts.classes else ""
    staged = ""
    if "root" in type(spec.data).model_fields:
        folder = getattr(spec.data, "root", None) or f"{plan.data_root}/{spec.data.name}"
        staged = f"; staged in {folder}"
    return (
        f"{spec.data.name}: {_count(facts.train, 'training example')}, {facts.validation} "
        f"validation, {facts.test} test; {facts.modality} {shape}{classes}{staged}"
    )


def _split(spec: JobSpec, plan: Plan) -> str:
    """Say how examples are divided."""
    data, groups, drawn = spec.data, plan.facts.groups, plan.facts.drawn
    parts = [f"{' and '.join(drawn or data.drawn)} drawn with split_seed {data.split_seed}"]
    if plan.facts.class_counts and not drawn:
        return "validation and test are those of the data"
    if not drawn:
        parts = [f"{parts[0]}, where the data have none of their own"]
    elif plan.facts.classes:
        parts.append("each class in proportion" if data.stratify else "not stratified")
    else:
        parts.append("not stratified, as there are no classes")
    if data.folds:
        parts.append(f"the test is fold {data.fold} of {data.folds}, counted from 0")
    if groups:
        by = getattr(data, "groups", None) or "group"
        parts.append(f"{_count(groups, 'group')} by '{by}', each in one split")
    return "; ".join(parts)


def _columns(plan: Plan) -> str:
    """List the columns of a table's file, one a line, with type, values, gaps and range."""
    raw = plan.facts.raw
    name = min(max(len(it.name) for it in raw), MAX_NAME_WIDTH)
    kind = max(len(COLUMN_TYPES.get(it.type, it.type)) for it in raw)
    lines = [
        f"{it.name:{name}}  {it.part:7}  {COLUMN_TYPES.get(it.type, it.type):{kind}}  "
        + ", ".join(_about_column(it))
        for it in raw[:MAX_COLUMNS]
    ]
    more = [f"and {len(raw) - MAX_COLUMNS} more"] if len(raw) > MAX_COLUMNS else []
    return "\n".join(map(str.rstrip, lines + more))


def _about_column(column: Column) -> Iterator[str]:
    """Yield how many values and gaps a column has, and what its values are."""
    if column.values:
        yield _count(column.values, "value")
    if column.summary:
        yield column.summary
    if column.gaps:
        filled = f" filled with {column.fill:.4g}" if column.fill is not None else ""
        yield _count(column.gaps, "gap") + filled


def _loading(plan: Plan) -> str:
    size = data_loading.describe_size(plan.facts)
    about = f", about {size}" if size else ""
    if plan.workers is None:
        return f"resident: all examples in memory{about}, decoded once"
    by = _count(plan.workers, "process", "es") + " of each rank" if plan.workers else "the ranks"
    return f"streaming: decoded while training, by {by}; all together would be{about[1:]}"


def _where(preview: Preview) -> str:
    plan = preview.plan
    if preview.scheduler.on_this_machine:
        return "this machine"
    partition = plan.sbatch.get("partition")
    return f"{plan.backend}, site {preview.site.name}" + (
        f", partition {partition}" if partition else ""
    )


def _ranks(plan: Plan) -> str:
    gpus = plan.nodes * plan.gpus_per_node
    return (
        f"{_count(plan.nodes, 'node')} x {_count(plan.tasks_per_node, 'task')} = world size "
        f"{plan.world_size}; {_count(gpus, 'GPU') if gpus else 'no GPU'}, "
        f"{_count(plan.cpus_per_task, 'core')} per task"
    )


def _batch(plan: Plan) -> str:
    passes = _count(plan.micro_batches, "forward and backward pass", "es")
    return (
        f"{plan.global_batch} global, {plan.rank_batch} per rank, {plan.micro_batch} micro "
        f"({passes} a step)"
    )


def _length(plan: Plan) -> str:
    return (
        f"{_count(plan.epochs, 'epoch')}, {_count(plan.steps_per_epoch, 'step')} per epoch, "
        f"{_count(plan.steps, 'step')} in all"
    )


def _limit(preview: Preview) -> str:
    if preview.scheduler.on_this_machine:
        return "none on this machine"
    plan = preview.plan
    again = "followed by another job" if plan.follow_up else "requeued"
    requeues = f"{again} up to {_count(plan.requeues, 'time')}" if plan.requeues else "no requeue"
    return f"{units.clock(plan.seconds)}, {requeues}"


def _environment(plan: Plan) -> str:
    """List what the job takes from environment variables of the submission, by their names."""
    parts = []
    for option, variable in plan.origins.items():
        value = plan.sbatch.get(option, True)
        parts.append(f"{option}{'' if value is True else f' {value}'} (from {variable})")
    if plan.environment:
        parts.append(f"set for the tasks: {' '.join(plan.environment)}")
    if plan.secrets:
        parts.append(f"set from a file that you alone can read: {' '.join(plan.secrets)}")
    return "; ".join(parts)


def _count(count: int, noun: str, plural: str = "s") -> str:
    return f"{count} {noun}{'' if count == 1 else plural}"
