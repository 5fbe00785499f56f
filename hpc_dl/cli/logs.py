"""`hpcdl logs`: what a run printed."""

from __future__ import annotations

import argparse
import sys
import time
from pathlib import Path

from hpc_dl.cli import runs
from hpc_dl.errors import EXIT_FAILED, UserError
from hpc_dl.run import journal
from hpc_dl.run import submission as submissions
from hpc_dl.run.layout import DamagedFile, RunDir, open_file, read_bytes
from hpc_dl.status import Status, read_status

HELP = "What a run printed: the log of one rank, or of the launcher where there is no more."
READ_SECONDS = 0.3
ASK_SECONDS = 2.0
"""How often a followed log is read, and how often it is asked whether the run has ended."""


def configure(parser: argparse.ArgumentParser) -> None:
    runs.configure(parser)
    parser.add_argument("-f", "--follow", action="store_true", help="go on until the run ends")
    parser.add_argument("--rank", type=int, default=0, help="whose log; 0 if not given")
    parser.epilog = "--json lists the log files. With -f the exit code is 1 if the run fails."


def run(args: argparse.Namespace) -> int:
    found = runs.chosen(args)
    if args.json:
        files = [str(path) for path in sorted(found.logs.glob("*.log"))]
        runs.print_json({"run": found.id, "files": files})
    elif args.follow:
        return EXIT_FAILED if _follow(found, args.rank).failed else 0
    else:
        _copy(_log(found, args.rank), 0)
    return 0


def _log(run: RunDir, rank: int) -> Path:
    """The log of a rank of the newest submission, or what else there is of it."""
    submission, fault = submissions.find(run)
    if submission is None and (submission := submissions.recover(run)):
        fault = f"{run.submission} is missing; this is the newest log"
    if fault:
        sys.stderr.write(f"warning: {fault}\n")
    job = (submission and submission.job_id) or "none"
    mine = run.logs / f"{job}-{rank}.log"
    if mine.exists():
        return mine
    if mine.is_symlink():  # a local job's are links, to what it may not have begun to write
        raise DamagedFile(mine, "is a link that leads nowhere")
    ranks = sorted(path.stem.rpartition("-")[2] for path in run.logs.glob(f"{job}-[0-9]*.log"))
    if ranks:
        raise UserError(f"{run.id} has no rank {rank}", hint=f"There are: {', '.join(ranks)}.")
    others = [run.logs / f"{job}-batch.log", run.logs / "launcher.log"]
    for path in others:
        if path.is_file() and path.stat().st_size:
            return path
    status = read_status(run)
    raise UserError(f"{run.id} has printed nothing: {status.state}", hint=status.reason)


def tail(run: RunDir, count: int) -> list[str]:
    """The last lines that a run printed itself; none where there is no log."""
    try:
        text = read_bytes(_log(run, 0)).decode(errors="replace")
    except (UserError, OSError):
        return []
    lines = text.rstrip().splitlines()
    return [line for line in lines if not line.startswith("submitit INFO")][-count:]


def _follow(run: RunDir, rank: int) -> Status:
    """Print the log as it grows, until the run has ended and its last words are printed."""
    path, offset, last_words = None, 0, False
    status, asked = read_status(run), time.monotonic()
    while True:
        ended = status.state in journal.ENDED
        try:
            now = _log(run, rank)
        except UserError:
            if ended:
                raise
        else:
            offset = _copy(now, offset if now == path else 0)
            path = now
        if ended and last_words:
            return status
        last_words = ended  # a failure is printed right after it is journalled
        time.sleep(READ_SECONDS)
        if not ended and time.monotonic() - asked > ASK_SECONDS:
            status, asked = read_status(run), time.monotonic()


def _copy(path: Path, offset: int) -> int:
    """Print a file from `offset` on; where it ends."""
    with open_file(path) as file:
        file.seek(offset)
        while chunk := file.read(1 << 16):
            sys.stdout.buffer.write(chunk)
        sys.stdout.flush()
        return file.tell()
