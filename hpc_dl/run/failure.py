"""Failure of an attempt: the error of the first rank that failed; the others only lose it.

The journal has one writer, rank 0, which may be killed before it can write. So the first rank to
fail claims one small file of the attempt, and the reason of a failure is what that file says.
"""

from __future__ import annotations

import json
import re
import socket
import time
import traceback
from dataclasses import asdict, dataclass, replace
from pathlib import Path

from hpc_dl.errors import EXIT_FAILED, EXIT_USAGE, UserError
from hpc_dl.run import records
from hpc_dl.run.layout import DamagedFile, RunDir
from hpc_dl.run.rank_info import RankInfo
from hpc_dl.run.waiting import wait_until

PEER_SECONDS = 2.0
"""How long a rank that lost its peers waits for them to record an error."""


GONE = "has ended without an error message: killed, or out of memory?"
_OF_A_PEER = ("DistNetworkError", "DistStoreError", "KeyboardInterrupt")
_LOST_PEER = re.compile(
    r"closed by peer|reset by peer|closed by remote peer|remote process exited|ncclRemoteError|"
    r"ncclSystemError|communicator was aborted|collective operation timeout|watchdog got stuck|"
    r"connectFullMesh failed|^\[\S*gloo/transport\S*\]",
    re.IGNORECASE,
)
"""Messages of gloo, NCCL and torch when another rank, or the network, has failed."""
_SOURCE = re.compile(r"^\[\S+:\d+\] ?")
"""The line of gloo's source with which its messages begin."""


class PeerGone(Exception):
    """Another rank has ended without recording an error."""

    def __init__(self, rank: int, host: str) -> None:
        super().__init__(f"rank {rank} on {host} {GONE}")


class NoProgress(Exception):
    """No rank has made progress for too long."""


@dataclass(frozen=True)
class Failure:
    """Reason of a failed attempt."""

    reason: str
    peer_gone: bool = False
    """True if only the loss of another rank is known, which recorded no error of its own."""
    exit_code: int = EXIT_FAILED
    """That of the command that follows the run, and of its ranks."""


def record(run: RunDir, rank_info: RankInfo, error: BaseException) -> Failure:
    """Record `error` as this attempt's failure; returns whichever failure came first.

    A rank that has only lost others waits for their errors, less long if it knows which is gone.
    """
    path = _file(run, rank_info.job_id, rank_info.restarts)
    failed = Failure(describe(run, error), exit_code=_exit_code(error))
    if isinstance(error, NoProgress):
        return Failure(str(error))  # it is no rank's own
    if isinstance(error, PeerGone):
        _wait_for(path, PEER_SECONDS / 2)
        failed = Failure(str(error), peer_gone=True)
    elif rank_info.world_size > 1 and is_lost_peer(error):
        _wait_for(path, PEER_SECONDS)
        failed = Failure(f"another rank {GONE}{_in_brackets(first_line(error))}", peer_gone=True)
    elif rank_info.rank:
        where = f"on rank {rank_info.rank} ({socket.gethostname()})"
        failed = replace(failed, reason=_with_place(error, failed.reason, where))
    try:
        with path.open("x") as file:
            json.dump({"t": time.time(), **asdict(failed)}, file)
    except FileExistsError:
        _wait_for(path, PEER_SECONDS)
    return _read(path) or failed


def forget_earlier(run: RunDir, rank_info: RankInfo) -> None:
    """Remove the failures of earlier attempts of the same job."""
    for restarts in range(rank_info.restarts):
        _file(run, rank_info.job_id, restarts).unlink(missing_ok=True)


def reason(run: RunDir, job_id: str) -> str | None:
    """Return why the newest attempt of a job failed, if a rank recorded it. Raises DamagedFile."""
    found = find(run, job_id)
    return found.reason if found else None


def find(run: RunDir, job_id: str) -> Failure | None:
    """Return the recorded failure of the newest attempt of a job. Raises DamagedFile."""
    pattern = re.compile(rf"failure-{re.escape(job_id)}\.(\d+)\.json")
    matches = (pattern.fullmatch(path.name) for path in run.path.glob("failure-*.json"))
    restarts = max((int(match[1]) for match in matches if match), default=None)
    return None if restarts is None else records.find(_file(run, job_id, restarts), Failure)


def describe(run: RunDir, error: BaseException) -> str:
    """Return the message of an error with its place, in the user's code if that took part."""
    if isinstance(error, UserError):
        return str(error)
    frames = traceback.extract_tb(error.__traceback__)
    own = [frame for frame in frames if Path(frame.filename).is_relative_to(run.code.resolve())]
    where = "".join(f" ({Path(f.filename).name}:{f.lineno})" for f in (own or frames)[-1:])
    return f"{type(error).__name__}: {error}{where}"


def _exit_code(error: BaseException) -> int:
    """Return 2 where the spec or the data are at fault; ranks that cannot meet are a failed run."""
    is_at_fault = isinstance(error, UserError) and error.exit_code == EXIT_USAGE
    return EXIT_USAGE if is_at_fault else EXIT_FAILED


def _with_place(error: BaseException, reason: str, where: str) -> str:
    """Add a rank to a message, before its hint."""
    if isinstance(error, UserError) and error.hint:
        return f"{error.message} {where}\n{error.hint}"
    return f"{reason} {where}"


def _file(run: RunDir, job_id: str, restarts: int) -> Path:
    return run.path / f"failure-{job_id}.{restarts}.json"


def is_lost_peer(error: BaseException) -> bool:
    """Return whether an error only shows that another rank cannot be reached any more."""
    if isinstance(error, UserError):
        return False
    return type(error).__name__ in _OF_A_PEER or is_lost_peer_message(str(error))


def is_lost_peer_message(message: str) -> bool:
    """Return whether the message of an error shows only the loss of another rank."""
    return _LOST_PEER.search(message) is not None


def first_line(error: BaseException) -> str:
    """Return the message of NCCL, gloo or torch, without the place in its source."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    if "Last error:" in lines[:-1]:  # so NCCL introduces what it knows best
        return lines[lines.index("Last error:") + 1]
    return _SOURCE.sub("", lines[0]) if lines else ""


def _in_brackets(message: str) -> str:
    return f" ({message})" if message else ""


def _wait_for(path: Path, seconds: float) -> None:
    wait_until(lambda: _read(path), seconds, 0.05)


def _read(path: Path) -> Failure | None:
    """Return the failure in a file that may not be complete yet."""
    try:
        return records.find(path, Failure)
    except DamagedFile:
        return None
