"""Processes that read examples for a rank: started by a clean server, and gone when the rank is.

They are no forks of the rank itself. A fork takes along the GPU, the sockets of NCCL and gloo and
the locks that other threads hold: it can hang, and keeps the other ranks from seeing that theirs
is gone.
"""

from __future__ import annotations

import functools
import multiprocessing
import os
import signal
import threading
from multiprocessing import forkserver, resource_tracker, util
from multiprocessing.context import BaseContext

from hpc_dl.run.stop_signals import STOPPING

_PRELOADED = [
    "hpc_dl.data.arrays.streamed",
    "hpc_dl.data.audio.splits",
    "hpc_dl.data.pictures.streamed",
]


@functools.cache
def context() -> BaseContext:
    """Return the context in which workers are started; with the first call their server begins to
    import what they need."""
    found = multiprocessing.get_context("forkserver")
    found.set_forkserver_preload(_PRELOADED)
    for start in (resource_tracker.ensure_running, forkserver.ensure_running):
        # What is blocked here stays so in the processes that come of it: the rank needs them until
        # it has saved.
        former = signal.pthread_sigmask(signal.SIG_BLOCK, STOPPING)
        try:
            start()
        finally:
            signal.pthread_sigmask(signal.SIG_SETMASK, former)
    # multiprocessing itself would ask them to end by SIGTERM, and wait.
    util.Finalize(None, _kill_all, exitpriority=0)
    return found


def leave_with_the_rank(_worker: int) -> None:
    """Called in a worker: have it end with the process that started it, however that ends."""
    rank = multiprocessing.parent_process()
    assert rank is not None

    def wait() -> None:
        rank.join()
        os._exit(1)

    threading.Thread(target=wait, daemon=True).start()


def _kill_all() -> None:
    for process in multiprocessing.active_children():
        if process.daemon:
            process.kill()
