"""`hpcdl sweep resume`: start tasks for what is left of a sweep."""

from __future__ import annotations

from hpc_dl.cli.sweeps import start, trial_run
from hpc_dl.errors import UserError
from hpc_dl.scheduler import registry
from hpc_dl.sweep import folder, info
from hpc_dl.sweep.folder import SweepDir


def resume(sweep: SweepDir, *, failed: bool) -> None:
    """Go on with the trials that wait or were stopped, and with those that `failed`.

    Raises UserError where tasks are at work, or nothing is left.
    """
    start.hand_over(sweep)
    known = info.load(sweep)
    scheduler = registry.get(known.backend)
    if alive := scheduler.count_tasks(folder.arrays(sweep)):
        raise UserError(
            f"{alive} of the tasks of {sweep.id} wait or run",
            hint=f"They take what is left: `hpcdl sweep status {sweep.id}`.",
        )
    if failed:
        folder.forget_results(sweep, ("failed",))
    asked = trial_run.read_spec(sweep, known, [])
    planned = asked.plan(sweep.path, scheduler)
    start.resume(sweep, asked.spec, planned, scheduler)
