"""Write into a trial's run folder which sweep it belongs to."""

from __future__ import annotations

import dataclasses

from hpc_dl.run.layout import RunDir, write_json
from hpc_dl.run.membership import Membership
from hpc_dl.sweep.folder import SweepDir
from hpc_dl.sweep.trial import Trial


def write(run: RunDir, sweep: SweepDir, trial: Trial) -> None:
    """Make a run a trial of a sweep, before its first event is sent to MLflow."""
    values = dict(trial.values)
    if trial.seed is not None:
        values["train.seed"] = trial.seed
    write_json(run.sweep, dataclasses.asdict(Membership(sweep.id, trial.number, values)))
