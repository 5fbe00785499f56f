"""Progress and metrics of a run, as its journal grows: for the live view and for the log."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from hpc_dl.jobspec import units
from hpc_dl.run import journal
from hpc_dl.run.layout import RunDir

if TYPE_CHECKING:
    from hpc_dl.planning.plan import Plan


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

    def line(self, event: journal.Event) -> str:
        """Return what a log file shows of an event just read: a line at the end of every epoch,
        and one for the test; else nothing."""
        if event["event"] != "metrics":
            return ""
        values = event["values"]
        if any(name.startswith("test/") for name in values):
            measured = "  ".join(f"{name} {short(value)}" for name, value in values.items())
            return f"weights of step {event['step']}  {measured}"
        if any(name.startswith("val/") for name in values) or self._ends_unvalidated(event):
            return "  ".join([*self.progress(), self.metrics()])
        return ""

    def _ends_unvalidated(self, event: journal.Event) -> bool:
        step, plan = event["step"], self.plan
        return not plan.facts.validation and step in (plan.steps, plan.steps_per_epoch * self.epoch)


def short(value: float | str) -> str:
    """Format a metric with few digits."""
    return value if isinstance(value, str) else f"{value:.5g}"
