"""Runs that another needs: that have to be complete before it starts, or whose files it reads."""

from __future__ import annotations

import contextlib
from collections.abc import Sequence
from pathlib import Path

from hpc_dl.errors import UserError
from hpc_dl.run import layout, records
from hpc_dl.run.layout import RunDir
from hpc_dl.status.lookup import find_runs, runs_of
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


def named_runs(run: RunDir, known: Sequence[RunDir]) -> set[RunDir]:
    """Return the runs, of those `known`, that the spec of a run names: in `after`, in
    `model.init_from`, or by the path of a file, as `model.classifier` may."""
    try:
        text = layout.read_bytes(run.spec).decode(errors="replace")
    except (UserError, OSError):
        return set()
    found = {it for it in known if f"{it.path}/" in text or f"{it.path}\n" in text}
    if "\nafter: []" in text and "init_from: null" in text:
        return found  # soon, of thousands of runs
    try:
        spec = records.load_spec(run)
    except UserError:
        return found | {it for it in known if f"- {it.id}\n" in text}
    begins = spec.model.init_from
    for word in (*spec.after, *([begins.source] if begins and not begins.is_path else [])):
        with contextlib.suppress(UserError):
            found.update(runs_of(known, word))
    return found


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
