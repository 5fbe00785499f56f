"""Bring the page of a sweep in MLflow up to date."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Sequence
from functools import partial
from pathlib import Path

from hpc_dl.errors import UserError
from hpc_dl.installed import PYTHON
from hpc_dl.jobspec.credentials import hidden
from hpc_dl.jobspec.load import load
from hpc_dl.run.layout import age
from hpc_dl.sweep import budget, importance, pictures, progress, results, summary
from hpc_dl.sweep.folder import SweepDir
from hpc_dl.sweep.progress import TrialProgress
from hpc_dl.sweep.results import Results
from hpc_dl.tracking import sweep_page
from hpc_dl.tracking.sweep_page import Page, Status

SECONDS = 60.0
"""Between two updates while trials are left: pictures of a thousand trials take some seconds."""
_LOCK_SECONDS, _LAST_LOCK_SECONDS = 5.0, 60.0
"""To wait for another process that does the same: while trials are left, and at the end."""
_LONGEST = 120.0
"""To wait for an update."""
_SHOWN = 10


def start_update(sweep: SweepDir, *, begins: bool) -> list[subprocess.Popen[bytes]]:
    """Begin to update the page, in a process of its own, as a task `begins` to train or has
    trained; return that process, or none.

    While trials are left it is done every SECONDS at most, and beside a training: a task that has
    trained would keep its allocation for it, so that the next one does it, if any waits. What fails
    is printed there, and left for `hpcdl sync`.
    """
    held, timeout = sweep.path / sweep_page.LOCK, _LAST_LOCK_SECONDS
    trials = progress.read(sweep, ask=False)
    if _status(sweep, trials) == "RUNNING":
        before, timeout = age(held), _LOCK_SECONDS
        is_fresh = before is not None and before < SECONDS
        is_left = any(it.state in ("promoted", "waiting") for it in trials) and not begins
        if is_fresh or is_left or not any(it.result for it in trials):
            return []
    held.touch()  # other tasks see at once that it is being done
    command = [*PYTHON, "-m", "hpc_dl.sweep.mlflow_page", str(sweep.path), str(timeout)]
    return [subprocess.Popen(command, stdin=subprocess.DEVNULL)]


def wait(updates: Sequence[subprocess.Popen[bytes]]) -> None:
    """Wait for updates, not for ever: a store may hang."""
    for process in updates:
        try:
            process.wait(_LONGEST)
        except subprocess.TimeoutExpired:
            process.kill()


def update(sweep: SweepDir, lock_timeout: float) -> bool:
    """Send counts, the best value so far, a description and pictures to the MLflow run of a sweep;
    return whether it was sent anew.

    Raises StoreUnavailable; LockTimeout where another process does so, for so many seconds.
    """
    spec = load(sweep.spec).sweep
    assert spec is not None
    found = results.read(sweep)
    best = found.ranked[0].best(found.goal) if found.ranked else None
    tags = {"hpcdl.trials": progress.describe(found.trials)}
    if best:
        tags["hpcdl.best"] = sweep.run(best.trial.number).id
    page = Page(
        options=spec.model_dump(mode="json", exclude_unset=True),
        tags=tags,
        text=_text(sweep, found),
        best=[(it.number, it.score, found.times[it.unit]) for it in found.best_so_far],
        status=_status(sweep, found.trials),
    )
    return sweep_page.send(sweep.path, page, partial(pictures.save, found), lock_timeout)


def _text(sweep: SweepDir, found: Results) -> str:
    """Return the description in Markdown: counts, the best configurations, and what is next."""
    head, *rows = summary.table(sweep, found.metric, found.ranked[:_SHOWN])
    lines = [f"**{progress.describe(found.trials)}**"]
    if rows:
        cells = [head, ["---"] * len(head), *rows]
        table = ["| " + " | ".join(it.replace("|", "\\|") for it in row) + " |" for row in cells]
        lines += [f"The best by {found.metric} ({found.goal}):", "\n".join(table)]
        lines.append(f"The job spec of the best: `hpcdl sweep best {sweep.id} -o best.yaml`")
        lines += filter(None, [importance.why_not(found.ranked)])
    return "\n\n".join(lines)


def _status(sweep: SweepDir, trials: Sequence[TrialProgress]) -> Status:
    """Return MLflow's status: a sweep has ended once no trial runs, nor waits where the budget is
    not used, or it is cancelled."""
    numbers = progress.counts(trials)
    if numbers["running"]:
        return "RUNNING"
    if sweep.cancel.exists():
        return "KILLED"
    if numbers["promoted"]:
        return "RUNNING"
    measured = [it.result for it in trials if it.result]
    waits = numbers["waiting"] and not budget.is_over(load(sweep.spec), measured)
    return "RUNNING" if waits else "FINISHED"


if __name__ == "__main__":
    os.nice(10)
    os.chdir(sys.argv[1])  # MLflow needs a current folder, and the submission's may be gone
    try:
        update(SweepDir(Path.cwd()), float(sys.argv[2]))
    except UserError as error:
        sys.stderr.write(f"{hidden(str(error))}\n")
