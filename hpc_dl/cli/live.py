"""Live display of a run: its journal, read as it grows, until the run has ended."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator

from rich.console import Console, Group
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from hpc_dl.run import journal
from hpc_dl.run.monitor import RunMonitor
from hpc_dl.status import Status

READ_SECONDS = 0.25
QUERY_SECONDS = 2.0
"""How often the journal is read, and how often the status of the run."""


def follow(monitor: RunMonitor, query: Callable[[], Status], console: Console) -> None:
    """Show a run until it has ended.

    `query` returns its status. On a terminal the display is live, elsewhere there is one line for
    every epoch.
    """
    if console.is_terminal:
        with Live(console=console, auto_refresh=False, transient=True) as display:
            for event in _read_until_end(monitor, query):
                if event and (text := _warning(event)):
                    console.print(Text(text, style="yellow"))
                if event is None:
                    display.update(render(monitor), refresh=True)
        return
    shown = ""
    for event in _read_until_end(monitor, query):
        now = f"{monitor.state}: {monitor.reason}"
        if now != shown and monitor.state not in journal.ENDED:
            console.print(Text(now), soft_wrap=True)
            shown = now
        if event and (text := _warning(event) or monitor.line(event)):
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


def _warning(event: journal.Event) -> str:
    return f"warning: {event['message']}" if event["event"] == "warning" else ""
