"""`hpcdl dashboard`: MLflow's pages on the runs, synced while they are open."""

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
SYNC_SECONDS = 3.0
"""Between two readings of the journals."""
RECONCILE_SECONDS = 30.0
"""Between two queries of the scheduler, so that it has few, and two attempts at an upload."""
FIRST_SYNC_SECONDS = 20.0
"""To sync before the dashboard opens; the rest is synced while it is open."""
TIMEOUT = 5.0
"""Seconds to wait for another process that is writing to the store."""
_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


def configure(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--port", type=int, default=PORT, help=f"from this port on ({PORT})")
    parser.add_argument("--site", help="the site whose runs to show")


def run(args: argparse.Namespace) -> int:
    """Open the dashboard until Ctrl-C, or print the address of the tracking server."""
    from hpc_dl.planning import site as sites
    from hpc_dl.planning.tracking_store import of_site
    from hpc_dl.run import layout
    from hpc_dl.tracking import store_uri

    site = sites.load(args.site, os.environ)
    root = sites.expand(site.run_root, os.environ)
    layout.set_umask(site.run_folder_mode, beside=True)
    uri = store_uri.absolute(of_site(site, root), Path.cwd())
    for number in _SIGNALS:  # the server must not outlast a closed terminal
        signal.signal(number, _close)
    syncer = _Syncer(root)
    try:
        syncer.sync(time.monotonic() + FIRST_SYNC_SECONDS)
        if store_uri.is_database(uri):
            return _open(uri, args.port, syncer)
    except KeyboardInterrupt:
        return 0
    sys.stdout.write(f"The runs are on the tracking server: {hidden(uri)}\n")
    return 0


def _open(uri: str, port: int, syncer: _Syncer) -> int:
    from hpc_dl.tracking import dashboard

    sys.stderr.write("starting MLflow ...\n")
    with dashboard.running(uri, port, syncer.root) as opened:
        sys.stdout.write(dashboard.instructions(opened) + "\n")
        sys.stdout.flush()
        _open_browser(opened.newest)
        while True:
            try:
                opened.process.wait(SYNC_SECONDS)
            except subprocess.TimeoutExpired:
                syncer.sync()
            else:
                sys.stderr.write("the dashboard's server has ended\n")
                return 1


class _Syncer:
    """Syncs all runs again and again; what a store refuses is left for the next time.

    Files are uploaded by a thread, so that metrics need not wait for them.
    """

    def __init__(self, root: Path) -> None:
        self.root = root
        self.reconciled = -RECONCILE_SECONDS
        self.printed: set[str] = set()
        self.upload_thread: threading.Thread | None = None
        self.refused: dict[Path, float] = {}
        """When an upload of a run failed, on the monotonic clock."""

    def sync(self, until: float = float("inf")) -> None:
        """Sync all runs; begin with none after `until` on the monotonic clock."""
        from hpc_dl.run import layout
        from hpc_dl.status import reconcile
        from hpc_dl.tracking.sync import sync_journal

        runs = layout.own_runs(layout.list_runs(self.root))
        if time.monotonic() - self.reconciled >= RECONCILE_SECONDS:
            reconcile(runs)
            self.reconciled = time.monotonic()
        for run in runs:
            if time.monotonic() < until:
                with self._printing_errors(run):
                    for note in sync_journal(run, TIMEOUT).notes:
                        self._print_once(f"{run.id}: {note}\n")
        if self.upload_thread is None or not self.upload_thread.is_alive():
            self.upload_thread = threading.Thread(target=self._upload, args=(runs,), daemon=True)
            self.upload_thread.start()

    def _upload(self, runs: list[RunDir]) -> None:
        from hpc_dl.tracking.sync import upload_files

        for run in runs:
            if (
                time.monotonic() - self.refused.get(run.path, -RECONCILE_SECONDS)
                < RECONCILE_SECONDS
            ):
                continue
            self.refused[run.path] = time.monotonic()
            with self._printing_errors(run):
                upload_files(run, TIMEOUT)
                del self.refused[run.path]

    @contextlib.contextmanager
    def _printing_errors(self, run: RunDir) -> Iterator[None]:
        from hpc_dl.errors import UserError

        try:
            yield
        except UserError as error:
            self._print_once(f"{run.id}: {error}\n")
        except Exception as error:  # the other runs are synced all the same
            self._print_once(hidden(f"{run.id}: {type(error).__name__}: {error}\n"))

    def _print_once(self, message: str) -> None:
        if message not in self.printed:
            self.printed.add(message)
            sys.stderr.write(message)


def _close(number: int, frame: FrameType | None) -> None:
    """End as by Ctrl-C; a second signal must not interrupt the cleaning up."""
    for each in _SIGNALS:
        signal.signal(each, signal.SIG_IGN)
    raise KeyboardInterrupt


def _open_browser(url: str) -> None:
    """Open a browser, unless this is a remote machine."""
    import webbrowser

    if os.environ.get("DISPLAY") and "SSH_CONNECTION" not in os.environ:
        webbrowser.open(url)
