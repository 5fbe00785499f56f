"""Which files of a run folder go to the store, and when."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from hpc_dl.rundir import RunDir


def of_submission(run: RunDir) -> list[Path]:
    """What is there before the run starts: spec, plan, script, provenance and the user's code."""
    single = [run.spec, run.plan, run.script, run.provenance, run.diff]
    code = sorted(path for path in run.code.rglob("*") if path.is_file())
    return [path for path in [*single, *code] if path.is_file()]


def of_end(run: RunDir) -> Iterator[tuple[Path, str]]:
    """What is there after it: the newest and the best checkpoint, and where each goes."""
    for kind, prefix in (("last", "step"), ("best", "best")):
        found = sorted(run.checkpoints.glob(f"{prefix}-*"))
        if found:
            for path in sorted(found[-1].iterdir()):
                yield path, f"checkpoints/{kind}"
