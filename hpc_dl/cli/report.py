"""`hpcdl report`: what a run used, beside what it asked for, and advice."""

from __future__ import annotations

import argparse

from hpc_dl.cli import common
from hpc_dl.usage import report

HELP = """Report what a run has asked for and used, in all of its attempts until now, with advice:
time, cores, memory, GPUs and energy, and what share of the time went into data, evaluation and
checkpoints."""


def configure(parser: argparse.ArgumentParser) -> None:
    common.add_run(parser)


def run(args: argparse.Namespace) -> int:
    found = report.read(common.chosen_run(args))
    if args.json:
        common.print_json(found.to_json())
    else:
        report.show(found, common.console())
    return 0
