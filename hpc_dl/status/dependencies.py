"""Runs that have to be complete before another starts."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from hpc_dl.errors import UserError
from hpc_dl.status.lookup import find_runs
from hpc_dl.status.status import Status, read_status


def unfinished(root: Path, words: Sequence[str], backend: str) -> list[Status]:
    """Return the runs that are not complete yet, each with a job of this scheduler.

    Raises UserError for one that cannot become complete by itself, or is not known to.
    """
    try:
        found = map(read_status, find_runs(root, words))
    except UserError as error:
        raise UserError(f"after: {error.message}", hint=error.hint) from None
    return [_waited_for(it, backend) for it in found if it.state != "completed"]


def _waited_for(status: Status, backend: str) -> Status:
    if not status.active:
        raise UserError(
            f"after: {status.id} is {status.state}, and never becomes complete by itself"
            + (f": {status.reason}" if status.reason else ""),
            hint=f"`hpcdl resume {status.id}` continues it; after=null starts without it.",
        )
    if status.backend != backend or not status.job_id:
        raise UserError(
            f"after: {status.id} is {status.state}, and is no job of {backend} to wait for",
            hint=f"`hpcdl status {status.id}` says when it is complete.",
        )
    return status
