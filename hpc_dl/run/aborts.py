"""Aborts of ranks, and their reasons in the logs.

A thread of torch's own, such as NCCL's watchdog, ends its process by SIGABRT: Python is not asked,
and records nothing. That is how a rank goes whose peers are lost, but also one whose own kernel on
the GPU has failed, which would fail again.
"""

from __future__ import annotations

import os
import re
from pathlib import Path

from hpc_dl.run.failure import Failure, is_lost_peer_message
from hpc_dl.run.layout import RunDir
from hpc_dl.run.rank_info import RankInfo

_LAST_BYTES = 2**18
_REASON = re.compile(
    r"what\(\):|watchdog thread terminated with exception|Watchdog caught|watchdog got stuck"
)
_PREFIX = re.compile(r".*(?:what\(\):|exception:)\s*|^\[.*?\]:?\s*")


def marker(rank_info: RankInfo) -> str:
    """Return the line of the log with which another attempt of the same job begins."""
    return f"hpcdl: restart {rank_info.restarts} of job {rank_info.job_id}"


def find(run: RunDir, rank_info: RankInfo) -> Failure:
    """Return why the ranks of this attempt have aborted: an error of one's own comes first."""
    logs = sorted(run.logs.glob(f"{rank_info.job_id}-[0-9]*.log"))
    found = [reason for log in logs for reason in _reasons(_end_of(log), rank_info)]
    own = [it for it in found if not is_lost_peer_message(it)]
    if not found:
        return Failure("a rank has aborted (signal 6); see the end of its log")
    return Failure(f"aborted: {(own or found)[0]}", peer_gone=not own)


def _end_of(log: Path) -> str:
    with log.open("rb") as file:
        size = file.seek(0, os.SEEK_END)
        file.seek(max(0, size - _LAST_BYTES))
        return file.read().decode(errors="replace")


def _reasons(text: str, rank_info: RankInfo) -> list[str]:
    lines = text.rpartition(marker(rank_info))[2].splitlines()
    return [_PREFIX.sub("", line).strip() for line in lines if _REASON.search(line)]
