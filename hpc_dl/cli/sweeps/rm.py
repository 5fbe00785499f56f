"""`hpcdl sweep rm`: remove a sweep with all of its runs."""

from __future__ import annotations

import argparse

from hpc_dl.cli import rm
from hpc_dl.errors import EXIT_FAILED, UserError
from hpc_dl.run.layout import RunDir
from hpc_dl.scheduler import registry
from hpc_dl.sweep import folder, info
from hpc_dl.sweep.folder import SweepDir


def remove(sweep: SweepDir, args: argparse.Namespace) -> None:
    """List the runs of a sweep and its folder, and with --yes remove them.

    Raises UserError while tasks wait or run.
    """
    scheduler = registry.get(info.load(sweep).backend)
    if alive := scheduler.count_tasks(folder.arrays(sweep)):
        raise UserError(
            f"{alive} of the tasks of {sweep.id} wait or run: nothing of it is removed",
            hint=f"`hpcdl sweep cancel {sweep.id}` stops them.",
            exit_code=EXIT_FAILED,
        )
    runs = [sweep.run(it.number) for it in folder.read_trials(sweep)]
    rm.remove_chosen([it for it in runs if it.path.is_dir()], args, RunDir(sweep.path))
