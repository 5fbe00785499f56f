"""`hpcdl cancel`: stop a run."""

from __future__ import annotations

import argparse
import sys

from hpc_dl.cli import common
from hpc_dl.status import cancel_run

HELP = "Stop a run, queued or running. It saves first; `hpcdl submit` again resumes it."
configure = common.add_run


def run(args: argparse.Namespace) -> int:
    status = cancel_run(common.chosen_run(args))
    if args.json:
        common.print_json(status.to_json())
    else:
        sys.stdout.write(f"{status.id}: {status.state}  {status.reason}\n")
    return 0
