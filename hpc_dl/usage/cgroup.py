"""Peak memory of a job on this node, as the kernel counts it in the job's control group.

The kernel misses no peak between two samples. But it counts the pages of files that it keeps in
memory, too, until the group's limit is reached.
"""

from __future__ import annotations

import contextlib
import re
from pathlib import Path

_LINE = re.compile(r"\d+:(?P<controllers>[^:]*):(?P<path>.*)")


def peak_memory(
    job_id: str, own: Path = Path("/proc/self/cgroup"), root: Path = Path("/sys/fs/cgroup")
) -> int | None:
    """Return the most bytes of the Slurm job whose number is `job_id`.

    None where it has no group of its own with this count: without Slurm, where the site limits no
    memory, and before Linux 5.19 with cgroup v2.
    """
    with contextlib.suppress(OSError):
        for line in own.read_text().splitlines():
            if (found := _LINE.fullmatch(line)) is None:
                continue
            group = re.match(rf".*/job_{re.escape(job_id)}(?=/|$)", found["path"])
            if group is None:
                continue
            for file in _files(root, found["controllers"], group[0].lstrip("/")):
                with contextlib.suppress(OSError, ValueError):
                    return int(file.read_text())
    return None


def _files(root: Path, controllers: str, group: str) -> list[Path]:
    if "memory" in controllers.split(","):
        return [root / "memory" / group / "memory.max_usage_in_bytes"]
    return [] if controllers else [root / group / "memory.peak"]
