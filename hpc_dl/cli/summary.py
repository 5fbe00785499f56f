"""What became of a run: its final metrics, and where its files, pictures and charts are."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from rich.console import Console
from rich.table import Table
from rich.text import Text

from hpc_dl import journal
from hpc_dl.rundir import RunDir
from hpc_dl.spec import units

DASHBOARD = "hpcdl dashboard"

_NOT_RESULTS = ("lr", "grad_norm", "examples_per_second")


@dataclass
class Summary:
    """The end of a run, from its journal."""

    run: RunDir
    state: str = ""
    reason: str = ""
    step: int = 0
    values: dict[str, float | str] = field(default_factory=dict)
    """The newest value of every metric; "nan" and "inf" are strings."""
    cost: dict[str, Any] = field(default_factory=dict)
    """parameters, seconds, seconds_per_step, peak_memory (bytes), as far as they are known."""
    warnings: list[str] = field(default_factory=list)
    pictures: bool = False


def summarise(run: RunDir) -> Summary:
    """Read a run's journal, without what was trained twice."""
    found = Summary(run)
    for event in journal.view(run.journal):
        match event["event"]:
            case "state":
                found.state, found.reason = event["state"], event.get("reason") or ""
            case "metrics":
                found.step = event["step"]
                found.values.update(event["values"])
            case "artifact":
                found.pictures = True
            case "warning":
                found.warnings.append(event["message"])
            case "summary":
                keys = ("parameters", "seconds", "seconds_per_step", "peak_memory")
                found.cost = {key: event.get(key) for key in keys}
    return found


def as_json(summary: Summary) -> dict[str, Any]:
    """Everything that `show` shows."""
    return {
        "run": summary.run.id,
        "state": summary.state,
        "reason": summary.reason,
        "step": summary.step,
        "values": summary.values,
        **summary.cost,
        "warnings": summary.warnings,
        "run_dir": str(summary.run.path),
        "pictures": str(summary.run.artifacts) if summary.pictures else None,
        "dashboard": DASHBOARD,
    }


def show(summary: Summary, console: Console) -> None:
    """Print the end of a run for people."""
    console.print(Text(f"{summary.run.id}: {summary.state}", style="bold"), end="")
    console.print(Text(f"  {summary.reason}"), soft_wrap=True)
    for message in summary.warnings:
        console.print(Text(f"warning: {message}", style="yellow"), soft_wrap=True)
    console.print(_metrics(summary.values))
    for name, value in _places(summary):
        console.print(Text.assemble((f"{name:11}", "bold"), value), soft_wrap=True)


def _metrics(values: dict[str, float | str]) -> Table:
    """One line a metric, one column a split."""
    splits = [s for s in ("train", "val", "test") if any(k.startswith(f"{s}/") for k in values)]
    names = dict.fromkeys(key.partition("/")[2] for key in values)
    table = Table(box=None, padding=(0, 2, 0, 0))
    table.add_column("")
    for split in splits:
        table.add_column(split, justify="right")
    for name in names:
        if not name.endswith(_NOT_RESULTS):
            cells = [values.get(f"{split}/{name}") for split in splits]
            table.add_row(Text(name), *("" if cell is None else short(cell) for cell in cells))
    return table


def _places(summary: Summary) -> list[tuple[str, str]]:
    cost = summary.cost
    lines = []
    if cost.get("seconds") is not None:
        size = f"{cost['parameters']:,} parameters, " if cost.get("parameters") else ""
        lines.append(("training", f"{size}{units.clock(cost['seconds'])}"))
    lines.append(("run folder", str(summary.run.path)))
    if summary.pictures:
        lines.append(("pictures", str(summary.run.artifacts)))
    return [*lines, ("dashboard", DASHBOARD)]


def short(value: float | str) -> str:
    """A metric in few digits."""
    return value if isinstance(value, str) else f"{value:.5g}"
