"""Ranks of a local job that end before they have met: to these nobody has a connection yet.

Slurm ends a job of which a task is killed. submitit's controller, whose processes the ranks of a
local job are, waits for the others, and these would wait for minutes.
"""

from __future__ import annotations

import contextlib
import os
import socket
import threading
from collections.abc import Callable, Iterator

import psutil

from hpc_dl.run.failure import PeerGone
from hpc_dl.run.rank_info import RankInfo

SECONDS = 1.0
"""Between two looks; who is missing in both of them is gone."""
_CONTROLLER = "submitit.local._local"


@contextlib.contextmanager
def watched(rank_info: RankInfo, on_gone: Callable[[PeerGone], None]) -> Iterator[None]:
    """Call `on_gone`, in another thread, for a rank of a local job that is gone meanwhile."""
    stop = threading.Event()
    if _is_local():
        threading.Thread(target=_watch, args=(rank_info, on_gone, stop), daemon=True).start()
    try:
        yield
    finally:
        stop.set()


def _is_local() -> bool:
    with contextlib.suppress(psutil.Error):
        return _CONTROLLER in psutil.Process(os.getppid()).cmdline()
    return False


def _watch(rank_info: RankInfo, on_gone: Callable[[PeerGone], None], stop: threading.Event) -> None:
    before: set[int] = set()
    while not stop.wait(SECONDS):
        now = _missing(rank_info.world_size)
        if gone := before & now:
            on_gone(PeerGone(min(gone), socket.gethostname()))
            return
        before = now


def _missing(size: int) -> set[int]:
    """The ranks that are no living processes of the controller."""
    there = set()
    with contextlib.suppress(psutil.Error):
        for process in psutil.Process(os.getppid()).children():
            with contextlib.suppress(psutil.Error):
                if process.status() != psutil.STATUS_ZOMBIE:
                    there.add(process.environ().get("SUBMITIT_LOCAL_GLOBALID"))
    return {rank for rank in range(size) if str(rank) not in there}
