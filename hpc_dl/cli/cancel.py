"""`hpcdl cancel`: stop a run."""

from __future__ import annotations

import argparse
import sys

from hpc_dl.cli import runs
from hpc_dl.status import cancel_run

HELP = "Stop a run, queued or running. It saves first; `hpcdl submit` again goes on."
configure = runs.configure


def run(args: argparse.Namespace) -> int:
    status = cancel_run(runs.chosen(args))
    if args.json:
        runs.print_json(status.to_json())
    else:
        sys.stdout.write(f"{status.id}: {status.state}  {status.reason}\n")
    return 0
