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
from dataclasses import dataclass
from pathlib import Path

from hpc_dl import run_files
from hpc_dl.errors import UserError
from hpc_dl.place import Place
from hpc_dl.rundir import DamagedFile, RunDir

PATIENCE = 2.0
"""Seconds that a rank which lost its peers gives them to speak first."""


PEER_GONE = "another rank is gone without a word: killed, or out of memory?"
_OF_A_PEER = ("DistBackendError", "DistNetworkError", "DistStoreError", "KeyboardInterrupt")
_LOST_A_PEER = ("Connection closed by peer", "Connection reset by peer", "gloo", "NCCL")


@dataclass(frozen=True)
class _Failure:
    """What the file says."""

    reason: str


def record(run: RunDir, place: Place, error: BaseException) -> str:
    """Claim `error` as this attempt's failure; the reason of whichever failure came first."""
    path, reason = _file(run, place.job_id, place.restarts), describe(run, error)
    if place.world_size > 1 and _tells_of_another(error):
        _wait_for(path)
        reason = PEER_GONE
    elif place.rank:
        reason += f" on rank {place.rank} ({socket.gethostname()})"
    try:
        with path.open("x") as file:
            json.dump({"t": time.time(), "reason": reason}, file)
    except FileExistsError:
        _wait_for(path)
    return _read(path) or reason


def forget_earlier(run: RunDir, place: Place) -> None:
    """Remove what an earlier attempt of the same job died of."""
    for restarts in range(place.restarts):
        _file(run, place.job_id, restarts).unlink(missing_ok=True)


def reason(run: RunDir, job_id: str) -> str | None:
    """Why the newest attempt of a job failed, if a rank could say. Raises DamagedFile."""
    pattern = re.compile(rf"failure-{re.escape(job_id)}\.(\d+)\.json")
    matches = (pattern.fullmatch(path.name) for path in run.path.glob("failure-*.json"))
    restarts = max((int(match[1]) for match in matches if match), default=None)
    return None if restarts is None else _load(_file(run, job_id, restarts))


def describe(run: RunDir, error: BaseException) -> str:
    """An error for people: what, and where, in the user's own code if that took part."""
    if isinstance(error, UserError):
        return str(error)
    frames = traceback.extract_tb(error.__traceback__)
    own = [frame for frame in frames if Path(frame.filename).is_relative_to(run.code.resolve())]
    place = "".join(f" ({Path(f.filename).name}:{f.lineno})" for f in (own or frames)[-1:])
    return f"{type(error).__name__}: {error}{place}"


def _file(run: RunDir, job_id: str, restarts: int) -> Path:
    return run.path / f"failure-{job_id}.{restarts}.json"


def _tells_of_another(error: BaseException) -> bool:
    return type(error).__name__ in _OF_A_PEER or any(words in str(error) for words in _LOST_A_PEER)


def _wait_for(path: Path) -> None:
    patience = time.monotonic() + PATIENCE
    while time.monotonic() < patience and not _read(path):
        time.sleep(0.05)


def _read(path: Path) -> str | None:
    """The reason in a file that may still be in the writing."""
    try:
        return _load(path)
    except DamagedFile:
        return None


def _load(path: Path) -> str | None:
    found = run_files.find(path, _Failure)
    return found.reason if found else None
