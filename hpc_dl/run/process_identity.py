"""Identity of machines and processes: host names and process ids are used again."""

from __future__ import annotations

import getpass
import os
from pathlib import Path
from typing import NamedTuple

_BOOT = Path("/proc/sys/kernel/random/boot_id")
_PROCESSES = Path("/proc/self/ns/pid")


def identity() -> str:
    """Return the identity of this boot of the machine, and of the container of this process.

    Two machines may have one name, and a restart ends all processes.
    """
    try:
        return f"{_BOOT.read_text().strip()}/{_PROCESSES.readlink()}"
    except OSError:  # not Linux
        return os.uname().nodename


def user() -> str:
    try:
        return getpass.getuser()
    except (KeyError, OSError):  # a container's user may have no name
        return str(os.getuid())


class Process(NamedTuple):
    """A process, identified for good by its start time (`started`, of the kernel's clock)."""

    machine: str
    pid: int
    started: float

    @classmethod
    def own(cls) -> Process:
        return cls(identity(), os.getpid(), _started(os.getpid()) or 0.0)

    def is_alive(self) -> bool | None:
        """Return whether it is alive; None if it is of another machine, or another boot of it."""
        if self.machine != identity():
            return None
        return _started(self.pid) == self.started


def _started(pid: int) -> float | None:
    """Return the start time of a process by the kernel's clock; None if it has ended."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return None if _BOOT.exists() else _started_elsewhere(pid)
    return None if fields[0] in "ZX" else float(fields[19])


def _started_elsewhere(pid: int) -> float | None:
    """Return the start time of a process where there is no /proc."""
    import psutil

    try:
        return float(psutil.Process(pid).create_time())
    except psutil.Error:
        return None
