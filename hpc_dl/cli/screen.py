"""Where commands print for people."""

from __future__ import annotations

import sys
from typing import TextIO

from rich.console import Console

WIDE = 400
"""Columns where no terminal says how many it has: a path should not be broken in a log file."""


def console(*, for_json: bool = False) -> Console:
    """Standard output; standard error where standard output is for a program."""
    return plain(sys.stderr if for_json else sys.stdout, WIDE)


def plain(stream: TextIO, wide: int) -> Console:
    """A console to which text is nothing but text: a path may hold [x] or :x:."""
    width = None if stream.isatty() else wide
    return Console(file=stream, width=width, highlight=False, markup=False, emoji=False)
