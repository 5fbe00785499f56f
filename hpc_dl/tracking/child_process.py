"""Run a command that ends with its parent: `python -m hpc_dl.tracking.child_process COMMAND ...`.

Standard input is a pipe from the parent. The system closes it however the parent ends, by kill -9
too; then the command and all its children are ended.
"""

from __future__ import annotations

import contextlib
import os
import select
import subprocess
import sys

POLL_SECONDS = 0.5
"""Between two checks whether the command has ended by itself."""
TERMINATE_SECONDS = 5.0
"""From SIGTERM to SIGKILL."""


def run(command: list[str], parent: int) -> int:
    """Run the command until it ends or the pipe from the parent is closed; return its exit code."""
    process = subprocess.Popen(command, stdin=subprocess.DEVNULL)
    while process.poll() is None:
        if select.select([parent], [], [], POLL_SECONDS)[0] and not os.read(parent, 1):
            _end_children()
    return process.returncode


def _end_children() -> None:
    import psutil

    children = psutil.Process().children(recursive=True)
    for child in children:
        with contextlib.suppress(psutil.NoSuchProcess):
            child.terminate()
    _, alive = psutil.wait_procs(children, timeout=TERMINATE_SECONDS)
    for child in alive:
        with contextlib.suppress(psutil.NoSuchProcess):
            child.kill()


if __name__ == "__main__":
    sys.exit(run(sys.argv[1:], sys.stdin.fileno()))
