"""`hpcdl sweep cancel`: stop all trials of a sweep."""

from __future__ import annotations

import contextlib

from hpc_dl.errors import UserError
from hpc_dl.run.layout import RunDir, writing_as
from hpc_dl.run.waiting import wait_until
from hpc_dl.scheduler import registry
from hpc_dl.status import cancel_run, reconcile
from hpc_dl.sweep import folder, info, taking
from hpc_dl.sweep.folder import SweepDir

END_SECONDS = 90.0
"""How long tasks may take to end; Slurm kills after its own grace time, often 30 s."""


def cancel(sweep: SweepDir) -> None:
    """Stop the tasks of a sweep: the runs that train save first. Raises UserError."""
    scheduler, jobs = registry.get(info.load(sweep).backend), folder.arrays(sweep)
    with writing_as(RunDir(sweep.path)):
        sweep.cancel.touch()
    runs = [sweep.run(unit.trial) for unit in taking.running(sweep)]
    runs = [it for it in runs if it.spec.is_file()]
    for run in runs:
        if scheduler.on_this_machine:
            with contextlib.suppress(UserError):  # it has just ended
                cancel_run(run)
        else:
            run.cancel.touch()
    if scheduler.count_tasks(jobs):
        scheduler.cancel_tasks(jobs)
    if not wait_until(lambda: not scheduler.count_tasks(jobs), END_SECONDS):
        raise UserError(f"tasks of {sweep.id} still run", hint="Try again in a while.")
    reconcile(runs)
