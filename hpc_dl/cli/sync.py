"""`hpcdl sync`: bring to the store what the runs have journalled and it does not have."""

from __future__ import annotations

import argparse
import sys

from hpc_dl.errors import EXIT_FAILED

HELP = "Bring what runs have journalled to the MLflow store, where a job could not."
PATIENCE = 60.0
"""Seconds to wait for another process that is writing to the store."""


def configure(parser: argparse.ArgumentParser) -> None:
    from hpc_dl.cli import runs

    runs.configure(parser, optional=True)
    parser.add_argument("--all", action="store_true", help="all runs, as without RUN")


def run(args: argparse.Namespace) -> int:
    """Bring one run or all; the exit code is 1 if a store did not take everything."""
    from hpc_dl import jobs, rundir
    from hpc_dl.cli import runs
    from hpc_dl.errors import UserError
    from hpc_dl.tracking.sync import bring, waits

    root = runs.root(args)
    chosen = [jobs.find(root, args.word)] if args.word else rundir.own(rundir.runs(root))
    jobs.statuses(chosen)  # journals how runs ended that could not say so themselves
    said, complete = [], True
    for one in chosen:
        entry: dict[str, object] = {"run": one.id, "points": 0, "complete": True}
        try:
            if waits(one):
                entry["points"] = bring(one, PATIENCE).points
        except UserError as error:
            entry |= {"complete": False, "error": str(error)}
            complete = False
        said.append(entry)
    if args.json:
        runs.print_json(said)
    else:
        for entry in said:
            what = entry.get("error") or f"{entry['points']} points brought"
            sys.stdout.write(f"{entry['run']}: {what}\n")
    return 0 if complete else EXIT_FAILED
