"""Bring the files of runs into agreement with their schedulers."""

from __future__ import annotations

import contextlib
from collections.abc import Iterable
from typing import NamedTuple

from hpc_dl.run import journal, layout
from hpc_dl.run.journal import Journal
from hpc_dl.run.layout import DamagedFile, RunDir
from hpc_dl.run.submission import Submission
from hpc_dl.run.waiting import locked
from hpc_dl.status.status import Observation, Status, observe

LOCK_SECONDS = 10.0


class Reconciled(NamedTuple):
    """The status of a run; `changed` if its files were written."""

    status: Status
    changed: bool


def reconcile(runs: Iterable[RunDir]) -> list[Reconciled]:
    """Bring journals and submission records into agreement with the scheduler.

    Files may lack the end of a run whose worker was killed before it could journal it, and the id
    of a job whose submission was never answered. Runs of other users are left out.
    """
    found = []
    for observation in observe(layout.own_runs(list(runs))):
        changes = [_record_job_id(observation), _journal_end(observation)]
        found.append(Reconciled(observation.status(), any(changes)))
    return found


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
