"""Under Slurm: what follows when a worker stops before the end, and starting the job again."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from hpc_dl import slurm
from hpc_dl.journal import Journal
from hpc_dl.rundir import RunDir, read_json

if TYPE_CHECKING:
    from hpc_dl.job import Place

SECONDS = 60.0
"""How long Slurm's controller may take to answer."""


def after(outcome: str, run: RunDir, place: Place) -> None:
    """Requeue the job if it wants to go on and may, and journal what became of it.

    A worker that was terminated does not know why; Slurm does. Called on rank 0, which has saved.
    """
    if outcome not in ("requeue", "stopped"):
        return
    state, restarts = _state_of(place)
    terminated = outcome == "stopped"
    if terminated and state == "CANCELLED":
        _note(run, "cancelled", "cancelled with scancel")
    elif restarts > place.restarts:
        _note(run, "requeued", "pre-empted; Slurm has queued it again")
    elif place.restarts >= (allowed := int(read_json(run.plan)["requeues"])):
        why = "pre-empted" if terminated else "wall-clock limit"
        times = f" after {allowed} requeues" if allowed else ""
        state = "stopped" if terminated else "timeout"
        _note(run, state, f"{why}{times}; `hpcdl submit` again goes on")
    else:
        if terminated:
            _note(run, "requeued", "pre-empted")
        _requeue(run, place)


def _requeue(run: RunDir, place: Place) -> None:
    try:
        slurm.call(["scontrol", "requeue", place.job_id], SECONDS)
    except slurm.SlurmError as error:
        _note(run, "stopped", f"not requeued: {error.message}; `hpcdl submit` again goes on")


def _state_of(place: Place) -> tuple[str, int]:
    """The job's state and restarts as Slurm sees them; running where it does not answer."""
    try:
        answer = slurm.call(["scontrol", "--oneliner", "show", "job", place.job_id], SECONDS)
    except slurm.SlurmError:
        return "RUNNING", place.restarts
    state = re.search(r"\bJobState=(\w+)", answer)
    restarts = re.search(r"\bRestarts=(\d+)", answer)
    return (state[1] if state else "RUNNING"), (int(restarts[1]) if restarts else place.restarts)


def _note(run: RunDir, state: str, reason: str) -> None:
    journal = Journal(run.journal)
    journal.append("state", state=state, reason=reason)
    journal.close()
