"""Shared parts of the commands: the options RUN, --site and --json, the run root, and printing."""

from __future__ import annotations

import argparse
import contextlib
import json
import math
import os
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, TextIO

from hpc_dl.errors import EXIT_FAILED
from hpc_dl.planning import site as sites
from hpc_dl.run import failure
from hpc_dl.run.layout import DamagedFile, RunDir
from hpc_dl.scheduler import recovery
from hpc_dl.status import find_run, find_runs, is_pattern

if TYPE_CHECKING:
    from rich.console import Console

RUN_HELP = "its name, id or Slurm job id, or `latest`"
RUNS_HELP = f"{RUN_HELP}; or several by a pattern in quotes, such as 'sw-*'"
LOG_COLUMNS = 400
"""The width of lines without a terminal, so that no path is broken in a log file."""


def add_run(parser: argparse.ArgumentParser, *, optional: bool = False) -> None:
    """Add the options RUN, --site and --json."""
    parser.add_argument("word", metavar="RUN", nargs="?" if optional else None, help=RUN_HELP)
    add_site_and_json(parser)


def add_runs(parser: argparse.ArgumentParser, *, optional: bool = False) -> None:
    """Add the options RUN, of one or several, --site and --json."""
    parser.add_argument(
        "words", metavar="RUN", nargs="*" if optional else "+", default=[], help=RUNS_HELP
    )
    add_site_and_json(parser)


def add_site_and_json(parser: argparse.ArgumentParser) -> None:
    """Add the options --site and --json."""
    parser.add_argument("--site", help="the site, by name or file (else $HPCDL_SITE)")
    parser.add_argument("--json", action="store_true", help="print JSON")


def run_root(args: argparse.Namespace) -> Path:
    """Return the folder of all runs of the site."""
    return sites.expand(sites.load(args.site, os.environ).run_root, os.environ)


def chosen_run(args: argparse.Namespace) -> RunDir:
    """Return the run that RUN names. Raises UserError."""
    return find_run(run_root(args), args.word)


def chosen_runs(args: argparse.Namespace) -> list[RunDir]:
    """Return the runs that the words RUN name, the oldest first. Raises UserError."""
    return find_runs(run_root(args), args.words)


def names_one(args: argparse.Namespace) -> bool:
    """Return whether RUN is a single run by its name, for which JSON is no list."""
    return len(args.words) == 1 and not is_pattern(args.words[0])


def failure_code(run: RunDir) -> int:
    """Return the exit code for a run that has not been completed: 2 where its job recorded that
    the spec or the data are at fault, else 1."""
    submission = recovery.find(run).submission
    failed = None
    with contextlib.suppress(DamagedFile):
        failed = failure.find(run, submission.job_id) if submission else None
    return failed.exit_code if failed else EXIT_FAILED


def print_json(value: object) -> None:
    """Print JSON for programs."""
    sys.stdout.write(json.dumps(value, indent=2) + "\n")


def command_list(lines: Mapping[str, str]) -> str:
    """Return commands with what each is for, one a line, in two columns."""
    width = max(map(len, lines))
    return "\n".join(f"  {command:{width}}  {line}" for command, line in lines.items())


def finite(values: Mapping[str, float]) -> dict[str, float | str]:
    """Return values with NaN and infinity as strings, as the journal has them: JSON has none."""
    return {name: it if math.isfinite(it) else str(it) for name, it in values.items()}


def console(*, for_json: bool = False) -> Console:
    """Return standard output, or standard error where standard output is JSON."""
    return plain_console(sys.stderr if for_json else sys.stdout, LOG_COLUMNS)


def plain_console(stream: TextIO, columns: int) -> Console:
    """Return a console without markup: a path may hold [x] or :x:."""
    from rich.console import Console

    width = None if stream.isatty() else columns
    return Console(file=stream, width=width, highlight=False, markup=False, emoji=False)
