"""Bring the page of a sweep in MLflow up to date."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

from hpc_dl.jobspec.load import load_resolved
from hpc_dl.run.layout import age
from hpc_dl.sweep import importance, pictures, progress, results, summary
from hpc_dl.sweep.folder import SweepDir
from hpc_dl.sweep.progress import TrialProgress
from hpc_dl.sweep.results import Results
from hpc_dl.tracking import sweep_page
from hpc_dl.tracking.sweep_page import Page, Status

SECONDS = 60.0
"""Between two updates while trials are left: pictures of a thousand trials take some seconds."""
_SHOWN = 10


def update_soon(sweep: SweepDir, lock_timeout: float) -> bool:
    """Update the page once the last of the trials has ended; before, every SECONDS at most.

    Errors as of `update`.
    """
    before = age(sweep.path / sweep_page.LOCK)
    is_recent = before is not None and before < SECONDS
    if is_recent and _status(sweep, progress.read(sweep, ask=False)) == "RUNNING":
        return False
    return update(sweep, lock_timeout)


def update(sweep: SweepDir, lock_timeout: float) -> bool:
    """Send counts, the best value so far, a description and pictures to the MLflow run of a sweep;
    return whether there was anything new.

    Raises StoreUnavailable; LockTimeout where another process does so, for so many seconds.
    """
    spec = load_resolved(sweep.spec).sweep
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
    """Return MLflow's status: a sweep has ended once no trial runs or waits, or it is cancelled."""
    numbers = progress.counts(trials)
    if numbers["running"]:
        return "RUNNING"
    if sweep.cancel.exists():
        return "KILLED"
    return "RUNNING" if numbers["waiting"] else "FINISHED"
