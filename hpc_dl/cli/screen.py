"""Where commands print for people."""

from __future__ import annotations

import sys

from rich.console import Console

WIDE = 400
"""Columns where no terminal says how many it has: a path should not be broken in a log file."""


def console(*, for_json: bool = False) -> Console:
    """Standard output; standard error where standard output is for a program."""
    stream = sys.stderr if for_json else sys.stdout
    return Console(file=stream, width=None if stream.isatty() else WIDE, highlight=False)
