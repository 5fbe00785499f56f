"""Print a plan, for people or as JSON."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from rich.console import Console
from rich.table import Table
from rich.text import Text

from hpc_dl.cli import data_rows
from hpc_dl.cli.preview import Preview
from hpc_dl.errors import printable
from hpc_dl.jobspec import units
from hpc_dl.jobspec.credentials import hidden
from hpc_dl.jobspec.job import Checkpoint, Tracking
from hpc_dl.jobspec.model import Model
from hpc_dl.jobspec.train import PROFILE_AFTER
from hpc_dl.jobspec.units import count
from hpc_dl.planning import data_loading
from hpc_dl.planning.plan import Plan


def to_json(preview: Preview) -> dict[str, Any]:
    """Return everything that `show` prints."""
    plan = preview.plan
    derived = {
        "run_id": plan.run_id,
        "world_size": plan.world_size,
        "micro_batches": plan.micro_batches,
        "gpus": plan.nodes * plan.gpus_per_node,
        "examples_seen": plan.examples_seen(plan.steps),
        "data_bytes": data_loading.count_bytes(plan.facts),
    }
    return {
        "run": preview.run,
        "site": preview.site.name,
        "plan": {**plan.without_password().to_json(), **derived},
        "spec": preview.spec.without_password().model_dump(mode="json"),
        "begins_with": preview.begins_with or None,
        "notes": [*plan.notes, *preview.notes],
        "start": preview.start or None,
        "script": preview.script,
    }


def show(preview: Preview, console: Console) -> None:
    """Print a plan for people, the job script at the end and unwrapped."""
    print_rows(rows(preview), console)
    local = preview.scheduler.on_this_machine
    what = f"job script for {preview.site.scheduler}" + (
        ", as it would be submitted" if local else ""
    )
    console.print(f"\n{what}", style="bold")
    console.print(Text(preview.script.rstrip("\n")), soft_wrap=True)


def print_rows(lines: Sequence[tuple[str, str]], console: Console) -> None:
    """Print names and values, line by line; what cannot be printed is escaped."""
    table = Table.grid(padding=(0, 2))
    table.add_column(style="bold", no_wrap=True)
    table.add_column(overflow="fold")
    for name, value in lines:
        table.add_row(name, Text("\n".join(map(printable, value.split("\n")))))
    console.print(table)


def rows(preview: Preview) -> list[tuple[str, str]]:
    """Return the plan as names and values, line by line."""
    spec, plan = preview.spec, preview.plan
    lines = [
        ("run", preview.run),
        ("model", _with_options(spec.model)),
        *_begins_with(preview),
        *data_rows.rows(spec.data, plan.facts, plan.data_root),
        ("fingerprint", f"{plan.fingerprint[:12]}, of the data that are there now"),
        ("loading", _loading(plan)),
        ("where", _where(preview)),
        ("ranks", _ranks(plan)),
        ("batch", _batch(plan)),
        ("length", _length(plan)),
        ("compile", f"{plan.compile}: {plan.compile_reason}"),
        ("time limit", _limit(preview)),
        ("checkpoint", _checkpoint(spec.checkpoint)),
        *_profile(preview),
        ("store", _store(plan, spec.tracking)),
        ("run folder", plan.run_dir),
    ]
    if path := spec.notify.webhook:
        lines.append(("notify", f"of {', '.join(spec.notify.on)}, at the URL in {path}"))
    if address := spec.notify.mail:
        lines.append(("mail", f"of {plan.sbatch['mail-type']} to {address}, by Slurm"))
    lines += [("environment", _environment(plan))] if plan.origins or plan.environment else []
    lines += [("start", preview.start)] if preview.start else []
    return lines + [("note", note) for note in (*plan.notes, *preview.notes)]


def _checkpoint(options: Checkpoint) -> str:
    is_epoch = units.every(options.every).unit == "epoch"
    apart = f", at least {options.least_seconds} s apart" if is_epoch else ""
    return f"every {options.every}{apart}, the newest {options.keep} kept"


def _profile(preview: Preview) -> Iterator[tuple[str, str]]:
    if steps := preview.spec.train.profile:
        yield "profile", f"of {count(steps, 'step')} of rank 0, after {PROFILE_AFTER} others"


def _store(plan: Plan, tracking: Tracking) -> str:
    text = f"{hidden(plan.tracking_uri)}, experiment {tracking.experiment}"
    return f"{text}, registered as {tracking.register_as}" if tracking.register_as else text


def _with_options(model: Model) -> str:
    options = model.model_dump(mode="json", exclude={"name", "init_from"})
    listed = [f"{key} {value}" for key, value in options.items()]
    return f"{model.name}: {', '.join(listed)}" if listed else model.name


def _begins_with(preview: Preview) -> Iterator[tuple[str, str]]:
    asked = preview.spec.model.init_from
    if asked is None:
        return
    yield "begins with", preview.begins_with
    patterns = [
        f"{key} {', '.join(it)}" for key in ("only", "freeze") if (it := getattr(asked, key))
    ]
    slowly = [f"learning rate x {asked.lr_scale:g}"] if asked.lr_scale != 1 else []
    if patterns or slowly:
        yield "", "; ".join([*patterns, *slowly])


def _loading(plan: Plan) -> str:
    size = data_loading.describe_size(plan.facts)
    about = f", about {size}" if size else ""
    if plan.workers is None:
        return f"resident: all examples in memory{about}"
    by = count(plan.workers, "process", "es") + " of each rank" if plan.workers else "the ranks"
    return f"streaming: read while training, by {by}; all together would be{about[1:]}"


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
        f"{count(plan.nodes, 'node')} x {count(plan.tasks_per_node, 'task')} = world size "
        f"{plan.world_size}; {count(gpus, 'GPU') if gpus else 'no GPU'}, "
        f"{count(plan.cpus_per_task, 'core')} per task"
    )


def _batch(plan: Plan) -> str:
    passes = count(plan.micro_batches, "forward and backward pass", "es")
    return (
        f"{plan.global_batch} global, {plan.rank_batch} per rank, {plan.micro_batch} micro "
        f"({passes} a step)"
    )


def _length(plan: Plan) -> str:
    return (
        f"{count(plan.epochs, 'epoch')}, {count(plan.steps_per_epoch, 'step')} per epoch, "
        f"{count(plan.steps, 'step')} in all"
    )


def _limit(preview: Preview) -> str:
    if preview.scheduler.on_this_machine:
        return "none on this machine"
    plan = preview.plan
    again = "followed by another job" if plan.follow_up else "requeued"
    requeues = f"{again} up to {count(plan.requeues, 'time')}" if plan.requeues else "no requeue"
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
