"""Progress of a command on standard error: a bar on a terminal, else a line now and then."""

from __future__ import annotations

import contextlib
import sys
import time
from collections.abc import Callable, Iterator

Done = Callable[[int], None]
"""What is called with how many more are done."""
SECONDS = 30.0
"""Between two lines, as in the log of a job."""


@contextlib.contextmanager
def shown(what: str, total: int | None) -> Iterator[Done]:
    """Show how many of `total` are done; yields what is called with how many more are."""
    if not sys.stderr.isatty():
        yield _Lines(what, total).add
        return
    from rich.console import Console
    from rich.progress import (
        BarColumn,
        MofNCompleteColumn,
        Progress,
        TextColumn,
        TimeElapsedColumn,
        TimeRemainingColumn,
    )

    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn())
    times = (TimeElapsedColumn(), TimeRemainingColumn())
    console = Console(file=sys.stderr)
    with Progress(*columns, *times, console=console, transient=True) as bar:
        task = bar.add_task(what, total=total)
        yield lambda count: bar.advance(task, count)


class _Lines:
    def __init__(self, what: str, total: int | None) -> None:
        self.what, self.of, self.done = what, f" of {total}" if total else "", 0
        self.next = time.monotonic() + SECONDS

    def add(self, count: int) -> None:
        self.done += count
        if time.monotonic() >= self.next:
            sys.stderr.write(f"{self.what}: {self.done}{self.of}\n")
            self.next = time.monotonic() + SECONDS
