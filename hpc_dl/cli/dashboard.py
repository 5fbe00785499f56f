"""`hpcdl dashboard`: MLflow's pages on the runs, kept up to date while they are open."""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from hpc_dl.rundir import RunDir

HELP = "Open the MLflow dashboard on the runs, for you alone; Ctrl-C closes it."
PORT = 5000
EVERY = 3.0
"""Seconds between two looks at the journals, so that curves move."""


def configure(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--port", type=int, default=PORT, help=f"from this port on ({PORT})")
    parser.add_argument("--site", help="the site whose runs to show")


def run(args: argparse.Namespace) -> int:
    """Open the dashboard until Ctrl-C, or say where that of a tracking server is."""
    from hpc_dl import rundir
    from hpc_dl import site as sites
    from hpc_dl.tracking import dashboard, store

    site = sites.load(args.site, os.environ)
    root = sites.expand(site.run_root, os.environ)
    uri = site.tracking_uri or f"{store.SQLITE}{root}/mlflow.db"
    _bring(rundir.runs(root))
    if not uri.startswith(store.SQLITE):
        sys.stdout.write(f"The runs are on the tracking server: {store.without_password(uri)}\n")
        return 0
    sys.stderr.write("starting MLflow ...\n")
    with dashboard.running(uri, args.port) as opened:
        sys.stdout.write(dashboard.instructions(opened) + "\n")
        sys.stdout.flush()
        _show(opened.url)
        try:
            while True:
                try:
                    opened.process.wait(EVERY)
                except subprocess.TimeoutExpired:
                    _bring(rundir.runs(root))
                else:
                    sys.stderr.write("the dashboard's server has ended\n")
                    return 1
        except KeyboardInterrupt:
            return 0


def _bring(runs: list[RunDir]) -> None:
    """Bring what waits, and leave for the next time what a store does not take now."""
    from hpc_dl import jobs
    from hpc_dl.errors import UserError
    from hpc_dl.tracking.sync import bring, waits

    jobs.statuses(runs)
    for run in runs:
        try:
            if waits(run):
                bring(run, patience=5)
        except UserError as error:
            sys.stderr.write(f"{run.id}: {error.message}\n")


def _show(url: str) -> None:
    """Open a browser where there is a screen to show it on."""
    import webbrowser

    if os.environ.get("DISPLAY") and "SSH_CONNECTION" not in os.environ:
        webbrowser.open(url)
