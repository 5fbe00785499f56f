"""`python -m benchmarks.growth.measure LINE SIZE ...`: do the work, and print what it costs."""

from __future__ import annotations

import gc
import json
import resource
import sys
import tempfile
from pathlib import Path

from benchmarks.growth.lines import LINES, Line

_RESET = "5"
"""What resets VmHWM, see proc_pid_clear_refs(5)."""


def main() -> None:
    line, sizes = LINES[sys.argv[1]], map(int, sys.argv[2:])
    sys.stdout.write(json.dumps([measured(line, size) for size in sizes]))


def measured(line: Line, size: int) -> dict[str, float]:
    """Return what the work costs: seconds of CPU, and MiB of memory."""
    with tempfile.TemporaryDirectory() as folder:
        work = line.prepare(size, Path(folder))
        gc.collect()
        Path("/proc/self/clear_refs").write_text(_RESET)
        before, resident = _cpu(), _kibibytes("VmRSS")
        own = work()
        seconds = _cpu() - before if own is None else own
        more = _kibibytes("VmHWM") - resident
    mebibytes = (_most_of_children() if line.is_command else more) / 1024
    return {"size": size, "seconds": seconds, "mebibytes": mebibytes}


def _cpu() -> float:
    """Seconds of CPU of this process and of those that it has waited for."""
    of = resource.getrusage(resource.RUSAGE_SELF), resource.getrusage(resource.RUSAGE_CHILDREN)
    return sum(it.ru_utime + it.ru_stime for it in of)


def _most_of_children() -> int:
    """The most KiB that a process has held that this one has waited for."""
    return resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss


def _kibibytes(name: str) -> int:
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith(f"{name}:"))


if __name__ == "__main__":
    main()
