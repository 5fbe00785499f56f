"""Where a run folder comes from: it may have been moved or copied since the run was planned."""

from __future__ import annotations

import contextlib
from pathlib import Path

from hpc_dl.run.layout import DamagedFile, RunDir, is_run, read_json


def former_folder(run: RunDir) -> Path | None:
    """Return where the run was planned, if its folder is another by now. Raises DamagedFile."""
    plan = read_json(run.plan)
    planned = plan.get("run_dir") if isinstance(plan, dict) else None
    if not isinstance(planned, str) or not planned or is_same(Path(planned), run.path):
        return None
    return Path(planned)


def original(run: RunDir) -> Path | None:
    """Return the run folder that this one is a copy of, if that is still there.

    The job and the lease that the copy names are those of the original.
    """
    with contextlib.suppress(DamagedFile):
        former = former_folder(run)
        if former is not None and is_run(RunDir(former)):
            return former
    return None


def is_same(one: Path, other: Path) -> bool:
    """Return whether two paths lead to the same folder."""
    try:
        return one == other or one.samefile(other)
    except OSError:  # one of them is gone
        return False
