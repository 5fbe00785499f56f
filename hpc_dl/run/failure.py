"""Which rank failed first, and of what: the others only see that it is gone.

The journal has one writer, rank 0, which may be killed before it can write. So the first rank to
fail claims one small file of the attempt, and the reason of a failure is what that file says.
"""

from __future__ import annotations

import json
import re
import socket
import time
import traceback
from dataclasses import asdict, dataclass
from pathlib import Path

from hpc_dl.errors import UserError
from hpc_dl.run import records
from hpc_dl.run.layout import DamagedFile, RunDir
from hpc_dl.run.rank_info import RankInfo
from hpc_dl.run.waiting import wait_until

PATIENCE = 2.0
"""Seconds that a rank which lost its peers gives them to speak first."""


GONE = "is gone without a word: killed, or out of memory?"
_OF_A_PEER = ("DistNetworkError", "DistStoreError", "KeyboardInterrupt")
_LOST_A_PEER = re.compile(
    r"closed by peer|reset by peer|closed by remote peer|remote process exited|ncclRemoteError|"
    r"ncclSystemError|communicator was aborted|collective operation timeout|watchdog got stuck|"
    r"connectFullMesh failed|^\[\S*gloo/transport\S*\]",
    re.IGNORECASE,
)
"""What gloo, NCCL and torch say when it is another rank, or the network, that has failed."""
_SOURCE = re.compile(r"^\[\S+:\d+\] ?")
"""The line of gloo's source with which its messages begin."""


class PeerGone(Exception):
    """Another rank has left without having said why."""

    def __init__(self, rank: int, host: str) -> None:
        super().__init__(f"rank {rank} on {host} {GONE}")


class NoProgress(Exception):
    """No rank has got on for too long."""


@dataclass(frozen=True)
class Failure:
    """Why an attempt failed."""

    reason: str
    peer_gone: bool = False
    """Whether it is all that the others could see of a rank that was killed."""


def record(run: RunDir, rank_info: RankInfo, error: BaseException) -> Failure:
    """Claim `error` as this attempt's failure; returns whichever failure came first.

    Who has only lost the others lets them speak first; who knows which of them is gone waits less.
    """
    path, failed = _file(run, rank_info.job_id, rank_info.restarts), Failure(describe(run, error))
    if isinstance(error, NoProgress):
        return Failure(str(error))  # it is no rank's own
    if isinstance(error, PeerGone):
        _wait_for(path, PATIENCE / 2)
        failed = Failure(str(error), peer_gone=True)
    elif rank_info.world_size > 1 and tells_of_another(error):
        _wait_for(path, PATIENCE)
        failed = Failure(f"another rank {GONE}{_in_brackets(own_words(error))}", peer_gone=True)
    elif rank_info.rank:
        failed = Failure(f"{failed.reason} on rank {rank_info.rank} ({socket.gethostname()})")
    try:
        with path.open("x") as file:
            json.dump({"t": time.time(), **asdict(failed)}, file)
    except FileExistsError:
        _wait_for(path, PATIENCE)
    return _read(path) or failed


def forget_earlier(run: RunDir, rank_info: RankInfo) -> None:
    """Remove what an earlier attempt of the same job died of."""
    for restarts in range(rank_info.restarts):
        _file(run, rank_info.job_id, restarts).unlink(missing_ok=True)


def reason(run: RunDir, job_id: str) -> str | None:
    """Why the newest attempt of a job failed, if a rank could say. Raises DamagedFile."""
    found = find(run, job_id)
    return found.reason if found else None


def find(run: RunDir, job_id: str) -> Failure | None:
    """The failure of the newest attempt of a job, if a rank could say. Raises DamagedFile."""
    pattern = re.compile(rf"failure-{re.escape(job_id)}\.(\d+)\.json")
    matches = (pattern.fullmatch(path.name) for path in run.path.glob("failure-*.json"))
    restarts = max((int(match[1]) for match in matches if match), default=None)
    return None if restarts is None else records.find(_file(run, job_id, restarts), Failure)


def describe(run: RunDir, error: BaseException) -> str:
    """An error for people: what, and where, in the user's own code if that took part."""
    if isinstance(error, UserError):
        return str(error)
    frames = traceback.extract_tb(error.__traceback__)
    own = [frame for frame in frames if Path(frame.filename).is_relative_to(run.code.resolve())]
    where = "".join(f" ({Path(f.filename).name}:{f.lineno})" for f in (own or frames)[-1:])
    return f"{type(error).__name__}: {error}{where}"


def _file(run: RunDir, job_id: str, restarts: int) -> Path:
    return run.path / f"failure-{job_id}.{restarts}.json"


def tells_of_another(error: BaseException) -> bool:
    """Whether an error says no more than that another rank cannot be reached any more."""
    if isinstance(error, UserError):
        return False
    return type(error).__name__ in _OF_A_PEER or are_of_another(str(error))


def are_of_another(words: str) -> bool:
    """The same of the words of an error alone."""
    return _LOST_A_PEER.search(words) is not None


def own_words(error: BaseException) -> str:
    """What NCCL, gloo or torch says has happened, without where in its source."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    if "Last error:" in lines[:-1]:  # so NCCL introduces what it knows best
        return lines[lines.index("Last error:") + 1]
    return _SOURCE.sub("", lines[0]) if lines else ""


def _in_brackets(words: str) -> str:
    return f" ({words})" if words else ""


def _wait_for(path: Path, seconds: float) -> None:
    wait_until(lambda: _read(path), seconds, 0.05)


def _read(path: Path) -> Failure | None:
    """The failure in a file that may still be in the writing."""
    try:
        return records.find(path, Failure)
    except DamagedFile:
        return None
