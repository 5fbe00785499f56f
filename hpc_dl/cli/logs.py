"""`hpcdl logs`: the log of a run."""

from __future__ import annotations

import argparse
import math
import sys
import time
from pathlib import Path

from hpc_dl.cli import common
from hpc_dl.errors import UserError
from hpc_dl.run import journal, lease
from hpc_dl.run.layout import DamagedFile, RunDir, open_file, read_bytes
from hpc_dl.scheduler import recovery
from hpc_dl.status import Status, read_status

HELP = "Print the log of a run: of one rank, or of the launcher where there is no other."
READ_SECONDS = 0.3
QUERY_SECONDS = 2.0
"""How often a followed log is read, and how often the status of its run."""


def configure(parser: argparse.ArgumentParser) -> None:
    common.add_run(parser)
    parser.add_argument("-f", "--follow", action="store_true", help="continue until the run ends")
    parser.add_argument("--rank", type=int, default=0, help="whose log; 0 if not given")
    parser.epilog = (
        "--json lists the log files. With -f the exit code is 1 if the run fails, 2 if its spec or "
        "data are at fault."
    )


def run(args: argparse.Namespace) -> int:
    found = common.chosen_run(args)
    if args.json:
        files = [str(path) for path in sorted(found.logs.glob("*.log"))]
        common.print_json({"run": found.id, "files": files})
    elif args.follow:
        return common.failure_code(found) if _follow(found, args.rank).failed else 0
    else:
        _copy(_log(found, args.rank), 0)
    return 0


def _log(run: RunDir, rank: int) -> Path:
    """Return the log of a rank of the newest submission, or another one of it."""
    submission, fault = recovery.find(run)
    if submission is None and (submission := recovery.recover(run)):
        fault = f"{run.submission} is missing; this is the newest log"
    if fault:
        sys.stderr.write(f"warning: {fault}\n")
    job = (submission and submission.job_id) or "none"
    path = run.logs / f"{job}-{rank}.log"
    if path.exists():
        return path
    if path.is_symlink():  # a local job's are links, to what may not be there yet
        raise DamagedFile(path, "is a link that leads nowhere")
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
    """Return the last lines that a run printed itself; none where there is no log."""
    try:
        text = read_bytes(_log(run, 0)).decode(errors="replace")
    except (UserError, OSError):
        return []
    lines = text.rstrip().splitlines()
    return [line for line in lines if not line.startswith("submitit INFO")][-count:]


def _follow(run: RunDir, rank: int) -> Status:
    """Print the log as it grows, until the run has ended and nothing more is written.

    A failure and the report are printed after the end is journalled, before the lease is released.
    """
    path, offset, was_over, latest = None, 0, False, math.inf
    status, queried = read_status(run), time.monotonic()
    while True:
        ended = status.state in journal.ENDED
        try:
            newest = _log(run, rank)
        except UserError:
            if ended:
                raise
        else:
            offset = _copy(newest, offset if newest == path else 0)
            path = newest
        if was_over:
            return status
        if ended:
            latest = min(latest, time.monotonic() + lease.RELEASE_SECONDS)
        was_over = ended and (not lease.is_renewed(run) or time.monotonic() > latest)
        time.sleep(READ_SECONDS)
        if not ended and time.monotonic() - queried > QUERY_SECONDS:
            status, queried = read_status(run), time.monotonic()


def _copy(path: Path, offset: int) -> int:
    """Print a file from `offset` on; return the offset of its end."""
    with open_file(path) as file:
        file.seek(offset)
        while chunk := file.read(1 << 16):
            sys.stdout.buffer.write(chunk)
        sys.stdout.flush()
        return file.tell()
