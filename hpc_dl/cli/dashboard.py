"""`hpcdl dashboard`: MLflow's pages on the runs, kept up to date while they are open."""

from __future__ import annotations

import argparse
import contextlib
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from types import FrameType

from hpc_dl.jobspec.credentials import hidden
from hpc_dl.run.layout import RunDir

HELP = "Open the MLflow dashboard on the runs, for you alone; Ctrl-C closes it."
PORT = 5000
EVERY = 3.0
"""Seconds between two looks at the journals, so that curves move."""
ASK_EVERY = 30.0
"""Seconds between two questions to Slurm, of which a login node shall see few."""
FIRST = 20.0
"""Seconds to spend on what waits before the dashboard opens; the rest comes while it is open."""
PATIENCE = 5.0
"""Seconds to wait for another process that is writing to the store."""
_ENDINGS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


def configure(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--port", type=int, default=PORT, help=f"from this port on ({PORT})")
    parser.add_argument("--site", help="the site whose runs to show")


def run(args: argparse.Namespace) -> int:
    """Open the dashboard until Ctrl-C, or say where that of a tracking server is."""
    from hpc_dl.planning import site as sites
    from hpc_dl.planning.tracking_store import of_site
    from hpc_dl.tracking import store_uri

    site = sites.load(args.site, os.environ)
    root = sites.expand(site.run_root, os.environ)
    uri = store_uri.absolute(of_site(site, root), Path.cwd())
    for number in _ENDINGS:  # the server must not outlast a closed terminal
        signal.signal(number, _close)
    bringing = _Bringing(root)
    try:
        bringing.bring(time.monotonic() + FIRST)
        if store_uri.is_database(uri):
            return _open(uri, args.port, bringing)
    except KeyboardInterrupt:
        return 0
    sys.stdout.write(f"The runs are on the tracking server: {hidden(uri)}\n")
    return 0


def _open(uri: str, port: int, bringing: _Bringing) -> int:
    from hpc_dl.tracking import dashboard

    sys.stderr.write("starting MLflow ...\n")
    with dashboard.running(uri, port, bringing.root) as opened:
        sys.stdout.write(dashboard.instructions(opened) + "\n")
        sys.stdout.flush()
        _show(opened.url)
        while True:
            try:
                opened.process.wait(EVERY)
            except subprocess.TimeoutExpired:
                bringing.bring()
            else:
                sys.stderr.write("the dashboard's server has ended\n")
                return 1


class _Bringing:
    """Brings what waits, and leaves for the next time what a store does not take now.

    Files are uploaded by a thread of their own: no curve waits for them.
    """

    def __init__(self, root: Path) -> None:
        self.root = root
        self.asked = -ASK_EVERY
        self.said: set[str] = set()
        self.uploading: threading.Thread | None = None
        self.refused: dict[Path, float] = {}
        """When files of a run were refused, on the monotonic clock."""

    def bring(self, until: float = float("inf")) -> None:
        """Bring all runs; begin with none after `until` on the monotonic clock."""
        from hpc_dl.run import layout
        from hpc_dl.status import reconcile
        from hpc_dl.tracking.sync import sync_journal

        runs = layout.own(layout.runs(self.root))
        if time.monotonic() - self.asked >= ASK_EVERY:
            reconcile(runs)
            self.asked = time.monotonic()
        for run in runs:
            if time.monotonic() < until:
                with self._complaining(run):
                    for note in sync_journal(run, PATIENCE).notes:
                        self._complain(f"{run.id}: {note}\n")
        if self.uploading is None or not self.uploading.is_alive():
            self.uploading = threading.Thread(target=self._upload, args=(runs,), daemon=True)
            self.uploading.start()

    def _upload(self, runs: list[RunDir]) -> None:
        from hpc_dl.tracking.sync import upload_files

        for run in runs:
            if time.monotonic() - self.refused.get(run.path, -ASK_EVERY) < ASK_EVERY:
                continue
            self.refused[run.path] = time.monotonic()
            with self._complaining(run):
                upload_files(run, PATIENCE)
                del self.refused[run.path]

    @contextlib.contextmanager
    def _complaining(self, run: RunDir) -> Iterator[None]:
        from hpc_dl.errors import UserError

        try:
            yield
        except UserError as error:
            self._complain(f"{run.id}: {error}\n")
        except Exception as error:  # whatever it is, the other runs are worth a try
            self._complain(hidden(f"{run.id}: {type(error).__name__}: {error}\n"))

    def _complain(self, message: str) -> None:
        """Say it once."""
        if message not in self.said:
            self.said.add(message)
            sys.stderr.write(message)


def _close(number: int, frame: FrameType | None) -> None:
    """End as by Ctrl-C; a second one shall not interrupt the tidying up."""
    for each in _ENDINGS:
        signal.signal(each, signal.SIG_IGN)
    raise KeyboardInterrupt


def _show(url: str) -> None:
    """Open a browser where there is a screen to show it on."""
    import webbrowser

    if os.environ.get("DISPLAY") and "SSH_CONNECTION" not in os.environ:
        webbrowser.open(url)
