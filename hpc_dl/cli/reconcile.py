"""`hpcdl reconcile`: bring the files of runs into agreement with their schedulers."""

from __future__ import annotations

import argparse
import sys

from hpc_dl.cli import common
from hpc_dl.errors import EXIT_CLUSTER, UserError
from hpc_dl.run import layout
from hpc_dl.status import reconcile

HELP = """Bring the journals and submission records of your runs into agreement with the scheduler:
how a killed job ended, and the id of a job whose submission was not answered."""


def configure(parser: argparse.ArgumentParser) -> None:
    common.add_runs(parser, optional=True)


def run(args: argparse.Namespace) -> int:
    if args.words:
        chosen = common.chosen_runs(args)
    else:
        chosen = layout.own_runs(layout.list_runs(common.run_root(args)))
    if others := set(chosen) - set(layout.own_runs(chosen)):
        raise UserError(f"{min(it.id for it in others)} belongs to another user")
    found = reconcile(chosen)
    changed = [it.status for it in found if it.changed]
    if args.json:
        common.print_json([status.to_json() for status in changed])
    else:
        lines = [f"{it.id}: {it.state}  {it.reason}" for it in changed]
        lines = lines or [f"Nothing to change in {len(found)} runs."]
        sys.stdout.write("\n".join(lines) + "\n")
    return 0 if all(it.status.reachable for it in found) else EXIT_CLUSTER
