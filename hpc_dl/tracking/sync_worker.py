"""`python -m hpc_dl.tracking.sync_worker RUN_DIR`: sync a run's journal while it trains.

A process of its own shares no interpreter lock with the training, and a store that hangs holds up
nothing. Its standard input is a pipe from the training, and ends when that does.
"""

from __future__ import annotations

import os
import select
import sys
import threading
import time
from datetime import datetime
from pathlib import Path

from hpc_dl.errors import UserError
from hpc_dl.jobspec.credentials import hidden
from hpc_dl.run.layout import RunDir, mode_of, set_umask
from hpc_dl.tracking.lock import LockTimeout
from hpc_dl.tracking.sync import sync_journal, upload_files

INTERVALS = 2.0, 6.0
"""Least and most seconds between two syncs."""
SHARE = 0.01
"""Of a core, for the syncs: those that take longer become rarer. A training that has all the cores
waits meanwhile."""
MAX_INTERVAL = 60.0
"""Seconds between two syncs with a store that is unavailable."""
LOCK_TIMEOUT, LAST_LOCK_TIMEOUT = 10.0, 40.0
"""Seconds to wait for the lock of a store: during the training, and after its end."""


def follow(run: RunDir, training: int) -> None:
    """Sync until the training, at the other end of the pipe `training`, has ended, and once more.

    Files are uploaded in a thread of their own: metrics and states wait for none of them.
    """
    journal_is_sent = threading.Event()
    files = threading.Thread(target=_upload, args=(run, journal_is_sent), daemon=True)
    files.start()
    interval, is_over = INTERVALS[0], False
    logged: set[str] = set()
    while not is_over:
        is_over = _has_ended(training, interval)
        began = time.thread_time()
        try:
            for note in sync_journal(run, _lock_timeout(is_over)).notes:
                if note not in logged:
                    _log(note)
                    logged.add(note)
            interval = _interval(began)
        except LockTimeout as error:  # usual beside many other jobs
            if is_over:
                _log(str(error))
        except Exception as error:  # whatever it is, the rest of the journal is worth a try
            interval = min(2 * interval, MAX_INTERVAL)
            _log(_describe(error) + ("" if is_over else f"; again in {interval:.0f} s"))
    journal_is_sent.set()
    files.join()


def _upload(run: RunDir, journal_is_sent: threading.Event) -> None:
    """Upload files as they come, and once more at the end; log each reason of a failure once."""
    interval, is_over, logged = INTERVALS[0], False, ""
    while not is_over:
        is_over = journal_is_sent.wait(interval)
        began = time.thread_time()
        try:
            upload_files(run, _lock_timeout(is_over))
            interval, logged = _interval(began), ""
        except LockTimeout as error:
            if is_over:
                _log(str(error))
        except Exception as error:
            interval = min(2 * interval, MAX_INTERVAL)
            if (message := _describe(error)) != logged:
                _log(message)
            logged = message


def _interval(began: float) -> float:
    """Return the seconds until the next sync, after one that began at this `time.thread_time`."""
    least, most = INTERVALS
    return min(max(least, (time.thread_time() - began) / SHARE), most)


def _lock_timeout(is_over: bool) -> float:
    return LAST_LOCK_TIMEOUT if is_over else LOCK_TIMEOUT


def _describe(error: Exception) -> str:
    return hidden(
        str(error) if isinstance(error, UserError) else f"{type(error).__name__}: {error}"
    )


def _has_ended(training: int, seconds: float) -> bool:
    """Wait for `seconds`, or until the other end of the pipe is closed; return whether it is."""
    readable, _, _ = select.select([training], [], [], seconds)
    return bool(readable) and not os.read(training, 1)


def _log(message: str) -> None:
    sys.stderr.write(f"{datetime.now():%F %T} {' '.join(message.splitlines())}\n")
    sys.stderr.flush()


if __name__ == "__main__":
    os.nice(10)  # the training comes first
    synced = RunDir(Path(sys.argv[1]).absolute())
    set_umask(mode_of(synced), beside=True)
    os.chdir(synced.path)  # MLflow needs a current folder, and the submission's may be gone
    follow(synced, sys.stdin.fileno())
