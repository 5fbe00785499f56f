"""Run a command that ends with its parent: `python -m hpc_dl.tracking.child_process WORD ...`.

Standard input is a pipe from there, which the system closes however that process ends, by kill -9
too; the command and everything that it started is ended then.
"""

from __future__ import annotations

import contextlib
import os
import select
import subprocess
import sys

LOOK = 0.5
"""Seconds between two looks at whether the command has ended by itself."""
GRACE = 5.0
"""Seconds that it has to end when it is told to."""


def run(words: list[str], owner: int) -> int:
    """Run the command until the owner, at the other end of a pipe, is gone; its exit code."""
    command = subprocess.Popen(words, stdin=subprocess.DEVNULL)
    while command.poll() is None:
        if select.select([owner], [], [], LOOK)[0] and not os.read(owner, 1):
            _end_family()
    return command.returncode


def _end_family() -> None:
    """End the command and everything that it started."""
    import psutil

    family = psutil.Process().children(recursive=True)
    for member in family:
        with contextlib.suppress(psutil.NoSuchProcess):
            member.terminate()
    _, alive = psutil.wait_procs(family, timeout=GRACE)
    for member in alive:
        with contextlib.suppress(psutil.NoSuchProcess):
            member.kill()


if __name__ == "__main__":
    sys.exit(run(sys.argv[1:], sys.stdin.fileno()))
