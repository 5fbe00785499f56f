"""Recovery of a submission whose record is damaged or missing, from the files of its job."""

from __future__ import annotations

from typing import NamedTuple

from hpc_dl.run.layout import DamagedFile, RunDir
from hpc_dl.run.submission import Submission
from hpc_dl.scheduler import registry


class Found(NamedTuple):
    """The newest submission of a run."""

    submission: Submission | None
    fault: str = ""
    """What is wrong with its record; without a submission, it is unknown which job the run has."""


def find(run: RunDir) -> Found:
    """Return the newest submission; where its record is damaged, what its job's files show."""
    try:
        return Found(Submission.load(run))
    except DamagedFile as error:
        return Found(recover(run), error.message)


def recover(run: RunDir) -> Submission | None:
    """Return the newest submission by the files of its job; None if there are none.

    Where the plan is damaged, too, any of the shipped schedulers may have it.
    """
    planned = registry.planned(run)
    schedulers = [planned] if planned else [registry.get(name) for name in registry.built_in()]
    return next((found for it in schedulers if (found := it.recover(run))), None)
