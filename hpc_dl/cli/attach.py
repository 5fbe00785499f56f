"""`hpcdl attach`: watch a run that is there already, as `hpcdl submit --follow` does."""

from __future__ import annotations

import argparse

from hpc_dl.cli import common, watch
from hpc_dl.cli.watch import ReportOptions

HELP = "Watch a run until it ends: state, progress, metrics. Ctrl-C ends the watching alone."


def configure(parser: argparse.ArgumentParser) -> None:
    common.add_run(parser)
    parser.epilog = "The exit code is that of the run: 0 if it is completed, 1 if it failed."


def run(args: argparse.Namespace) -> int:
    options = ReportOptions(as_json=args.json, site=args.site)
    return watch.watch(common.chosen_run(args), 0, options)
