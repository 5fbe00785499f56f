"""The live display of a run: what its journal says as it grows, until the run has ended."""

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
ASK_SECONDS = 2.0
"""How often the journal is read, and how often it is asked whether the run is alive."""


@dataclass
class Watched:
    """What is known of a run so far, read forward from its journal."""

    run: RunDir
    plan: Plan
    offset: int = 0
    """Where in the journal to begin: after the attempts that are not to be shown."""
    state: str = ""
    reason: str = ""
    epoch: int = 0
    step: int = 0
    pace: float | None = None
    """Examples per second since the report before, all ranks together."""
    seconds_left: float | None = None
    values: dict[str, float | str] = field(default_factory=dict)
    steps: dict[str, int] = field(default_factory=dict)
    """The step of each of these values."""
    ending: bool = False
    """The worker has said its last word; who asks will hear of it at any moment."""

    def read(self) -> Iterator[journal.Event]:
        """Take in, and yield one by one, what the journal has got since the last time."""
        for event, _, end in journal.read(self.run.journal, self.offset):
            self.offset = end
            self._take_in(event)
            yield event

    def _take_in(self, event: journal.Event) -> None:
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
                pace = event["values"].get("train/examples_per_second")
                self.pace = pace if isinstance(pace, int | float) else self.pace

    def position(self) -> list[str]:
        """Epoch, step, speed and the time that is left, as far as they are known."""
        plan = self.plan
        said = [f"epoch {self.epoch}/{plan.epochs}", f"step {self.step}/{plan.steps}"]
        if self.pace is not None:
            unit = "images" if plan.facts.modality == "image" else "examples"
            said.append(f"{self.pace:,.0f} {unit}/s")
        if self.seconds_left is not None:
            said.append(f"{units.clock(self.seconds_left)} left")
        return said

    def metrics(self) -> str:
        """The newest losses, validation metrics and learning rate; of an earlier step, with it."""
        shown = [
            f"{name} {short(value)}"
            + (f" (step {self.steps[name]})" if self.steps[name] != self.step else "")
            for name, value in self.values.items()
            if name.startswith("val/") or name.rpartition("/")[2] in ("loss", "lr")
        ]
        return "  ".join(shown)


def follow(watched: Watched, ask: Callable[[], Status], console: Console) -> None:
    """Show a run until it has ended.

    `ask` says how it is, also while it is queued. On a terminal the display is live;
    elsewhere there is one line for every epoch.
    """
    if console.is_terminal:
        with Live(console=console, auto_refresh=False, transient=True) as display:
            for event in _until_it_ends(watched, ask):
                if event and event["event"] == "warning":
                    console.print(Text(f"warning: {event['message']}", style="yellow"))
                if event is None:
                    display.update(picture(watched), refresh=True)
        return
    said = ""
    for event in _until_it_ends(watched, ask):
        now = f"{watched.state}: {watched.reason}"
        if now != said and watched.state not in journal.ENDED:
            console.print(Text(now), soft_wrap=True)
            said = now
        if event and (text := _line(watched, event)):
            console.print(Text(text), soft_wrap=True)


def _until_it_ends(watched: Watched, ask: Callable[[], Status]) -> Iterator[journal.Event | None]:
    """What happens, event by event, and None whenever that is all for now."""
    asked = float("-inf")
    while watched.state not in journal.ENDED:
        if watched.ending or time.monotonic() - asked > ASK_SECONDS:
            status = ask()
            watched.state, watched.reason = status.state, status.reason
            watched.ending, asked = False, time.monotonic()
        yield from watched.read()
        yield None
        time.sleep(READ_SECONDS)


def picture(watched: Watched) -> Group:
    """What the terminal shows of a run now."""
    head = Text.assemble((watched.run.id, "bold"), f"  {watched.state}  {watched.reason}")
    if not watched.step:
        return Group(head)
    row = Table.grid(padding=(0, 2))
    bar = ProgressBar(total=watched.plan.steps, completed=watched.step, width=30)
    row.add_row(bar, *watched.position())
    return Group(head, row, Text(watched.metrics()))


def _line(watched: Watched, event: journal.Event) -> str:
    """What a log file gets of an event: warnings, and a line for every evaluation."""
    if event["event"] == "warning":
        return f"warning: {event['message']}"
    if event["event"] == "metrics" and any(name.startswith("val/") for name in event["values"]):
        return "  ".join([*watched.position(), watched.metrics()])
    return ""
