"""Notification of a sweep's end, as its spec's `notify.webhook` asks for it."""

from __future__ import annotations

import json

from hpc_dl.jobspec.job import JobSpec
from hpc_dl.sweep import progress, summary
from hpc_dl.sweep.folder import SweepDir
from hpc_dl.sweep.info import Info
from hpc_dl.tracking import webhook

_FILE = "notified"
"""In the sweep's folder: made by the task that notifies of the end, so that no other does."""
_END = "end"


def of_trial(spec: JobSpec) -> str:
    """Return the override by which a trial tells of its failure alone: its end is no news."""
    told = [it for it in spec.notify.on if it != _END]
    if spec.notify.webhook is None or not told:
        return "notify=null"
    return f"notify.on={json.dumps(told)}"


def notify_end(sweep: SweepDir, known: Info, spec: JobSpec) -> str:
    """Tell that no trial is left, unless that is done; return what went wrong, or nothing."""
    asked = spec.notify
    if asked.webhook is None or _END not in asked.on or not progress.is_complete(sweep, spec):
        return ""
    try:
        (sweep.path / _FILE).touch(exist_ok=False)
    except FileExistsError:
        return ""
    trials = progress.read(sweep, ask=False)
    scores = [it.score for it in summary.ranked(trials, known.goal)]
    metrics = {known.metric: scores[0]} if scores else {}
    listed = [f"{name} {value:.5g}" for name, value in metrics.items()]
    content = {
        "run": sweep.id,
        "event": _END,
        "state": "completed",
        "reason": progress.describe(trials),
        "metrics": metrics,
        "run_dir": str(sweep.path),
        "text": "  ".join([f"{sweep.id}: {progress.describe(trials)}", *listed]),
    }
    return webhook.post_to(asked.webhook, content)
