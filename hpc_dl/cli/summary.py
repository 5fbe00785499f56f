"""Summary of a run: final metrics, weights, files, pictures and dashboard."""

from __future__ import annotations

import contextlib
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table
from rich.text import Text

from hpc_dl.errors import UserError
from hpc_dl.jobspec import units
from hpc_dl.run import journal
from hpc_dl.run.layout import RunDir
from hpc_dl.run.monitor import short
from hpc_dl.run.weights import Weights
from hpc_dl.usage import report
from hpc_dl.usage.report import Report

DASHBOARD = "hpcdl dashboard"

_HIDDEN = (
    "lr",
    "grad_norm",
    "examples_per_second",
    "waiting_percentage",
    "flops_per_second",
    "mfu_percentage",
)


@dataclass
class Summary:
    """Results of a run, from its journal."""

    run: RunDir
    state: str = ""
    reason: str = ""
    step: int = 0
    """The newest step with metrics."""
    values: dict[str, float | str] = field(default_factory=dict)
    """The newest value of every metric; "nan" and "inf" are strings."""
    steps: dict[str, int] = field(default_factory=dict)
    """The step of each of these values."""
    weights: Weights | None = None
    """The weights that were tested, drawn and exported."""
    validation: dict[str, float | str] = field(default_factory=dict)
    """Metrics of these weights on the validation split."""
    cost: dict[str, Any] = field(default_factory=dict)
    """parameters, seconds, seconds_per_step, peak_memory (bytes), as far as they are known."""
    report: Report | None = None
    """What it has used; None where nothing is known of that."""
    warnings: list[str] = field(default_factory=list)
    pictures: bool = False
    tables: list[str] = field(default_factory=list)
    """Paths of CSV files, relative to the run folder."""
    profile: Path | None = None


def summarise(run: RunDir) -> Summary:
    """Read a run's journal, without steps that were trained again."""
    found, profile = Summary(run), run.profile.relative_to(run.path).as_posix()
    for event in journal.view(run.journal):
        match event["event"]:
            case "state":
                found.state, found.reason = event["state"], event.get("reason") or ""
            case "metrics":
                found.step = max(found.step, event["step"])
                found.values.update(event["values"])
                found.steps.update(dict.fromkeys(event["values"], event["step"]))
            case "artifact" if event["path"].endswith(".csv"):
                found.tables = list(dict.fromkeys([*found.tables, event["path"]]))
            case "artifact" if event["path"] == profile:
                found.profile = run.profile
            case "artifact":
                found.pictures = True
            case "warning":
                found.warnings.append(event["message"])
            case "summary":
                keys = ("parameters", "seconds", "seconds_per_step", "peak_memory")
                found.cost = {key: event.get(key) for key in keys}
                found.weights = Weights.from_json(event.get("weights"))
                found.validation = event.get("validation") or {}
    with contextlib.suppress(UserError):
        found.report = report.read(run)
    return found


def to_json(summary: Summary) -> dict[str, Any]:
    """Return everything that `show` prints."""
    return {
        "run": summary.run.id,
        "state": summary.state,
        "reason": summary.reason,
        "step": summary.step,
        "values": summary.values,
        "steps": summary.steps,
        "weights": summary.weights.to_json() if summary.weights else None,
        "validation": summary.validation,
        **summary.cost,
        "advice": summary.report.advice if summary.report else [],
        "warnings": summary.warnings,
        "run_dir": str(summary.run.path),
        "pictures": str(summary.run.artifacts) if summary.pictures else None,
        "profile": str(summary.profile) if summary.profile else None,
        "tables": [str(summary.run.path / name) for name in summary.tables],
        "dashboard": DASHBOARD,
    }


def show(summary: Summary, console: Console) -> None:
    """Print the end of a run for people."""
    console.print(Text(f"{summary.run.id}: {summary.state}", style="bold"), end="")
    console.print(Text(f"  {summary.reason}"), soft_wrap=True)
    for message in summary.warnings:
        console.print(Text(f"warning: {message}", style="yellow"), soft_wrap=True)
    console.print(_metrics(summary))
    for name, value in _details(summary):
        console.print(Text.assemble((f"{name:11}", "bold"), value), soft_wrap=True)


def _metrics(summary: Summary) -> Table:
    """Return a table with a line for every metric and a column for every split and step."""
    columns = _columns(summary)
    table = Table(box=None, padding=(0, 2, 0, 0))
    table.add_column("")
    for title, _ in columns:
        table.add_column(title, justify="right")
    for name in dict.fromkeys(key.partition("/")[2] for key in summary.values):
        cells = [values.get(name) for _, values in columns]
        if not name.endswith(_HIDDEN):
            table.add_row(Text(name), *("" if cell is None else short(cell) for cell in cells))
    return table


def _columns(summary: Summary) -> list[tuple[str, dict[str, float | str]]]:
    """Return the columns that have values: title with split and step, and metrics by name."""
    found, exported = [], summary.weights
    averaged = ", averaged" if exported and exported.averaged else ""
    for split, title in (("train", "train"), ("val", "validation"), ("test", "test")):
        values = {
            key.partition("/")[2]: value
            for key, value in summary.values.items()
            if key.startswith(f"{split}/")
        }
        if values:
            step = max(at for key, at in summary.steps.items() if key.startswith(f"{split}/"))
            if split == "val" and exported and summary.validation and step != exported.step:
                found.append((f"last validation\nstep {step}{averaged}", values))
                step, values = exported.step, summary.validation
            of = "" if split == "train" else averaged  # training losses are of the raw weights
            found.append((f"{title}\nstep {step}{of}", values))
    return found


def _details(summary: Summary) -> list[tuple[str, str]]:
    cost = summary.cost
    lines = []
    if summary.weights:
        lines.append(("weights", f"{summary.weights.describe()}; tested, drawn and exported"))
    if cost.get("seconds") is not None:
        lines.append(("training", training(cost.get("parameters"), cost["seconds"])))
    if summary.report:
        lines.append(("used", summary.report.brief()))
        lines += [("advice", advice) for advice in summary.report.advice]
    lines.append(("run folder", str(summary.run.path)))
    if summary.pictures:
        lines.append(("pictures", str(summary.run.artifacts)))
    lines += [("table", str(summary.run.path / name)) for name in summary.tables]
    lines += [("profile", f"{summary.profile}, for ui.perfetto.dev")] if summary.profile else []
    return [*lines, ("dashboard", DASHBOARD)]


def training(parameters: int | None, seconds: float) -> str:
    """Describe the size of a network, and how long it was trained."""
    size = f"{parameters:,} parameters, " if parameters else ""
    return f"{size}{units.clock(seconds)}"
