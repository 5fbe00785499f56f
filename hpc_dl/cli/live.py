"""Live display of a run: its journal, read as it grows, until the run has ended."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

from rich.console import Console, Group
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from hpc_dl.cli.summary import short
from hpc_dl.jobspec import units
from hpc_dl.planning.plan import Plan
from hpc_dl.run import journal
from hpc_dl.run.layout import RunDir
from hpc_dl.status import Status

READ_SECONDS = 0.25
QUERY_SECONDS = 2.0
"""How often the journal is read, and how often the status of the run."""


@dataclass
class RunMonitor:
    """State, progress and metrics of a run, kept up to date from its journal."""

    run: RunDir
    plan: Plan
    offset: int = 0
    """The byte of the journal to begin at, after attempts that are not shown."""
    state: str = ""
    reason: str = ""
    epoch: int = 0
    step: int = 0
    examples_per_second: float | None = None
    """Of all ranks together, since the report before."""
    seconds_left: float | None = None
    values: dict[str, float | str] = field(default_factory=dict)
    steps: dict[str, int] = field(default_factory=dict)
    """The step of each of these values."""
    ending: bool = False
    """True once the worker has journalled an end, which the status will soon show."""

    def read(self) -> Iterator[journal.Event]:
        """Read the new events of the journal, and yield them one by one."""
        for event, _, end in journal.read(self.run.journal, self.offset):
            self.offset = end
            self._update(event)
            yield event

    def _update(self, event: journal.Event) -> None:
        match event["event"]:
            case "state":
                self.ending = event["state"] in journal.ENDED
                if event["state"] == "running":
                    self.state, self.reason = "running", event.get("reason") or ""
            case "progress":
                self.step, self.epoch = event["step"], event["epoch"]
                self.seconds_left = event.get("seconds_left", self.seconds_left)
            case "metrics":
                if event["step"] >= self.step:  # a test may be of weights from before
                    self.step = event["step"]
                    self.epoch = self.epoch if event.get("epoch") is None else event["epoch"] + 1
                self.values.update(event["values"])
                self.steps.update(dict.fromkeys(event["values"], event["step"]))
                speed = event["values"].get("train/examples_per_second")
                if isinstance(speed, int | float):
                    self.examples_per_second = speed

    def progress(self) -> list[str]:
        """Return epoch, step, speed and time left, as far as they are known."""
        plan = self.plan
        parts = [f"epoch {self.epoch}/{plan.epochs}", f"step {self.step}/{plan.steps}"]
        if self.examples_per_second is not None:
            unit = "images" if plan.facts.modality == "image" else "examples"
            parts.append(f"{self.examples_per_second:,.0f} {unit}/s")
        if self.seconds_left is not None:
            parts.append(f"{units.clock(self.seconds_left)} left")
        return parts

    def metrics(self) -> str:
        """Return losses, validation metrics and learning rate; old ones with their step."""
        shown = [
            f"{name} {short(value)}"
            + (f" (step {self.steps[name]})" if self.steps[name] != self.step else "")
            for name, value in self.values.items()
            if name.startswith("val/") or name.rpartition("/")[2] in ("loss", "lr")
        ]
        return "  ".join(shown)


def follow(monitor: RunMonitor, query: Callable[[], Status], console: Console) -> None:
    """Show a run until it has ended.

    `query` returns its status. On a terminal the display is live, elsewhere there is one line for
    every epoch.
    """
    if console.is_terminal:
        with Live(console=console, auto_refresh=False, transient=True) as display:
            for event in _read_until_end(monitor, query):
                if event and event["event"] == "warning":
                    console.print(Text(f"warning: {event['message']}", style="yellow"))
                if event is None:
                    display.update(render(monitor), refresh=True)
        return
    shown = ""
    for event in _read_until_end(monitor, query):
        now = f"{monitor.state}: {monitor.reason}"
        if now != shown and monitor.state not in journal.ENDED:
            console.print(Text(now), soft_wrap=True)
            shown = now
        if event and (text := _line(monitor, event)):
            console.print(Text(text), soft_wrap=True)


def _read_until_end(
    monitor: RunMonitor, query: Callable[[], Status]
) -> Iterator[journal.Event | None]:
    """Yield event by event, and None whenever there are no more yet."""
    queried = float("-inf")
    while monitor.state not in journal.ENDED:
        if monitor.ending or time.monotonic() - queried > QUERY_SECONDS:
            status = query()
            monitor.state, monitor.reason = status.state, status.reason
            monitor.ending, queried = False, time.monotonic()
        yield from monitor.read()
        yield None
        time.sleep(READ_SECONDS)


def render(monitor: RunMonitor) -> Group:
    """Return what the terminal shows of a run."""
    head = Text.assemble((monitor.run.id, "bold"), f"  {monitor.state}  {monitor.reason}")
    if not monitor.step:
        return Group(head)
    row = Table.grid(padding=(0, 2))
    bar = ProgressBar(total=monitor.plan.steps, completed=monitor.step, width=30)
    row.add_row(bar, *monitor.progress())
    return Group(head, row, Text(monitor.metrics()))


def _line(monitor: RunMonitor, event: journal.Event) -> str:
    """Return an event as a line for a log file; only warnings and evaluations have one."""
    if event["event"] == "warning":
        return f"warning: {event['message']}"
    if event["event"] == "metrics" and any(name.startswith("val/") for name in event["values"]):
        return "  ".join([*monitor.progress(), monitor.metrics()])
    return ""
