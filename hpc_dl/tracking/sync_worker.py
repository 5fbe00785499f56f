"""`python -m hpc_dl.tracking.sync_worker RUN_DIR`: the job's companion, which brings its journal.

A process of its own: it shares no interpreter lock with the training, and a store that hangs holds
up nothing. Its standard input is a pipe from the training, and ends when that does.
"""

from __future__ import annotations

import os
import select
import sys
import threading
from datetime import datetime
from pathlib import Path

from hpc_dl.errors import UserError
from hpc_dl.jobspec.credentials import hidden
from hpc_dl.run.layout import RunDir
from hpc_dl.tracking.lock import Held
from hpc_dl.tracking.sync import bring_files, bring_values

PAUSE = 2.0
"""Seconds between two looks at the journal."""
LONGEST_PAUSE = 60.0
"""Between two attempts at a store that is away."""
PATIENCE, LAST_PATIENCE = 10.0, 40.0
"""Seconds to wait for the turn at the store, where others write to it; once the training is over,
longer."""


def follow(run: RunDir, training: int) -> None:
    """Bring the journal until the training, at the other end of a pipe, has ended; then all.

    Files are uploaded by a thread of their own: metrics and states wait for none of them.
    """
    journal_is_sent = threading.Event()
    files = threading.Thread(target=_upload, args=(run, journal_is_sent), daemon=True)
    files.start()
    pause, over = PAUSE, False
    said: tuple[str, ...] = ()
    while not over:
        over = _ended_within(training, pause)
        try:
            notes = bring_values(run, patience=LAST_PATIENCE if over else PATIENCE).notes
            for note in notes:
                if note not in said:
                    _log(note)
            said += notes
            pause = PAUSE
        except Held as busy:  # as happens beside many other jobs
            if over:
                _log(str(busy))
        except Exception as error:  # whatever it is, the rest of the journal is worth a try
            pause = min(2 * pause, LONGEST_PAUSE)
            _log(_what(error) + ("" if over else f"; again in {pause:.0f} s"))
    journal_is_sent.set()
    files.join()


def _upload(run: RunDir, journal_is_sent: threading.Event) -> None:
    """Upload files as they come, and once more at the end; say it once that they wait, and why."""
    pause, over, said = PAUSE, False, ""
    while not over:
        over = journal_is_sent.wait(pause)
        try:
            bring_files(run, patience=LAST_PATIENCE if over else PATIENCE)
            pause, said = PAUSE, ""
        except Held as busy:
            if over:
                _log(str(busy))
        except Exception as error:
            pause = min(2 * pause, LONGEST_PAUSE)
            if (what := _what(error)) != said:
                _log(what)
            said = what


def _what(error: Exception) -> str:
    return hidden(
        str(error) if isinstance(error, UserError) else f"{type(error).__name__}: {error}"
    )


def _ended_within(training: int, seconds: float) -> bool:
    """Wait; whether the other end of the pipe was closed meanwhile."""
    readable, _, _ = select.select([training], [], [], seconds)
    return bool(readable) and not os.read(training, 1)


def _log(message: str) -> None:
    sys.stderr.write(f"{datetime.now():%F %T} {' '.join(message.splitlines())}\n")
    sys.stderr.flush()


if __name__ == "__main__":
    os.nice(10)  # the training comes first
    followed = RunDir(Path(sys.argv[1]).absolute())
    os.chdir(followed.path)  # MLflow asks where it is, and the folder of a submission may be gone
    follow(followed, sys.stdin.fileno())
