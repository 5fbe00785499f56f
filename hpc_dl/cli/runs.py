"""The run that a command is about: the options that name it, and the folder of all runs."""

from __future__ import annotations

import argparse
import json
import os
import sys
from pathlib import Path

from hpc_dl.planning import site as sites
from hpc_dl.run.layout import RunDir
from hpc_dl.status import find_run

WORD_HELP = "its name, id or Slurm job id, or `latest`"


def configure(parser: argparse.ArgumentParser, *, optional: bool = False) -> None:
    """The options RUN, --site and --json."""
    count = "?" if optional else None
    parser.add_argument("word", metavar="RUN", nargs=count, help=WORD_HELP)
    add_common(parser)


def add_common(parser: argparse.ArgumentParser) -> None:
    """The options --site and --json."""
    parser.add_argument("--site", help="the site whose runs are meant")
    parser.add_argument("--json", action="store_true", help="print JSON")


def root(args: argparse.Namespace) -> Path:
    """The folder of all runs of the site."""
    return sites.expand(sites.load(args.site, os.environ).run_root, os.environ)


def chosen(args: argparse.Namespace) -> RunDir:
    """The run that is meant. Raises UserError."""
    return find_run(root(args), args.word)


def print_json(value: object) -> None:
    sys.stdout.write(json.dumps(value, indent=2) + "\n")
