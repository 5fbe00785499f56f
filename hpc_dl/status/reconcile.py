"""Bring the files of runs into agreement with their schedulers."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Iterable
from typing import NamedTuple

from hpc_dl.run import journal, layout
from hpc_dl.run.journal import Journal
from hpc_dl.run.layout import DamagedFile, RunDir
from hpc_dl.run.submission import Submission
from hpc_dl.run.waiting import locked
from hpc_dl.status.status import Observation, Status, observe
from hpc_dl.tracking import webhook

LOCK_SECONDS = 10.0
NOTIFIED_SECONDS = 24 * 3600.0
"""For how long an end is news."""


class Reconciled(NamedTuple):
    """The status of a run; `changed` if its files were written."""

    status: Status
    changed: bool


def reconcile(runs: Iterable[RunDir]) -> list[Reconciled]:
    """Bring journals and submission records into agreement with the scheduler.

    Files may lack the end of a run whose worker was killed before it could journal it, and the id
    of a job whose submission was never answered. Notifications of ends are sent that no job could
    send. Runs of other users are left out.
    """
    found = []
    for observation in observe(layout.own_runs(list(runs))):
        with layout.writing_as(observation.files.run):
            changes = [_record_job_id(observation), _journal_end(observation)]
            status = observation.status()
            if status.ended and not status.active and time.time() - status.ended < NOTIFIED_SECONDS:
                _notify(observation.files.run)
        found.append(Reconciled(status, any(changes)))
    return found


def _notify(run: RunDir) -> None:
    """Tell how a run has ended; not where another command does so now."""
    with contextlib.suppress(OSError, DamagedFile), locked(run.journal) as is_ours:
        if is_ours:
            webhook.notify_end(run)


def _record_job_id(observation: Observation) -> bool:
    files = observation.files
    job, job_id = files.submission, observation.job.job_id
    if job is None or job_id in ("", job.job_id):
        return False
    with contextlib.suppress(OSError, DamagedFile):
        if Submission.load(files.run) == job:
            job.became(job_id, observation.job.cluster).save(files.run)
            return True
    return False


def _journal_end(observation: Observation) -> bool:
    """Journal how a run has ended; its worker is dead, so nobody else writes."""
    files, (state, reason, is_final) = observation.files, observation.state
    if not is_final or (state, reason) == (files.state, files.reason):
        return False
    path = files.run.journal
    with contextlib.suppress(OSError, DamagedFile), locked(path, LOCK_SECONDS) as is_ours:
        if is_ours and journal.last_state(path) == (files.state, files.reason):
            own = Journal(path)
            own.append("state", state=state, reason=reason)
            own.close()
            return True
    return False
