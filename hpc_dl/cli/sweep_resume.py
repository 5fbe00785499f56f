"""`hpcdl sweep resume`: start tasks for what is left of a sweep."""

from __future__ import annotations

from hpc_dl.cli import job_request, sweep_submit
from hpc_dl.errors import UserError
from hpc_dl.jobspec.load import load_resolved
from hpc_dl.run.layout import RunDir
from hpc_dl.scheduler import registry
from hpc_dl.sweep import folder, info
from hpc_dl.sweep.folder import SweepDir


def resume(sweep: SweepDir, *, failed: bool) -> None:
    """Go on with the trials that wait or were stopped, and with those that `failed`.

    Raises UserError where tasks are at work, or nothing is left.
    """
    known = info.load(sweep)
    scheduler = registry.get(known.backend)
    if alive := scheduler.count_tasks(folder.arrays(sweep)):
        raise UserError(
            f"{alive} of the tasks of {sweep.id} wait or run",
            hint=f"They take what is left: `hpcdl sweep status {sweep.id}`.",
        )
    if failed:
        folder.forget_results(sweep, ("failed",))
    begun = RunDir(sweep.path)
    asked = job_request.read(sweep.spec, [], known.site, copied=sweep.code, begun=begun)
    planned = asked.plan(sweep.path, scheduler)
    sweep_submit.resume(sweep, load_resolved(sweep.spec), planned, scheduler)
