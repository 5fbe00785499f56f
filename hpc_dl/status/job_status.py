"""The status of each run's job: what the scheduler knows, else what lease and log show."""

from __future__ import annotations

import contextlib

from hpc_dl.errors import UserError
from hpc_dl.run import lease, origin
from hpc_dl.run.layout import RunDir, age
from hpc_dl.run.submission import Submission
from hpc_dl.scheduler import registry
from hpc_dl.scheduler.base import Job, JobStatus
from hpc_dl.status.run_files import RunFiles
from hpc_dl.status.state import FINAL, UNFINISHED

UNCONFIRMED_SECONDS = 120.0
"""After so long, a job whose submission was not answered is in the queue, or was never
submitted. One that starts later all the same finds the run submitted again, and ends."""
_NO_SUBMISSION = "it is unknown which job it has, if any"


def query_jobs(found: list[RunFiles]) -> list[JobStatus]:
    """Return the status of each run's job; each scheduler is asked once for all of its jobs.

    A copied folder has none: the job that it names trains the original.
    """
    jobs: dict[RunDir, Job] = {}
    copies: dict[RunDir, JobStatus] = {}
    for one in found:
        if one.submission is None or one.state in FINAL:
            continue
        if former := origin.original(one.run):
            copies[one.run] = JobStatus("lost", f"a copy of {former}, which has its job")
        else:
            jobs[one.run] = Job(one.run, one.submission, one.state in UNFINISHED)
    statuses = dict(zip(jobs, registry.query(list(jobs.values())), strict=True))
    return [copies.get(one.run) or _job_status(one, statuses) for one in found]


def _job_status(files: RunFiles, statuses: dict[RunDir, JobStatus]) -> JobStatus:
    job = files.submission
    if files.state in FINAL:
        return JobStatus("unsubmitted")
    if job is None:
        damaged = files.submission_is_damaged
        return JobStatus("unknown", _NO_SUBMISSION) if damaged else JobStatus("unsubmitted")
    status = statuses[files.run]
    if status.phase == "unconfirmed" and (age(files.run.submission) or 0) > UNCONFIRMED_SECONDS:
        status = JobStatus("lost", "it was never submitted; `hpcdl submit` sends it again")
    if status.phase == "ended" and files.state in UNFINISHED:
        other = _other_holder(files.run, job)
        return JobStatus("running", f"trained by {other}") if other else status
    return _vanished(files, job, status) if status.phase in ("lost", "unconfirmed") else status


def _other_holder(run: RunDir, job: Submission) -> str:
    """Name another job that has the lease of the run and renews it."""
    _, holder = lease.newest(run)
    if holder is None or holder.submission.job_id == job.job_id or not lease.is_renewed(run):
        return ""
    return str(holder)


def _vanished(files: RunFiles, job: Submission, status: JobStatus) -> JobStatus:
    """Return what the run folder shows of a job that the scheduler does not have, or not yet."""
    if files.submission_is_damaged:
        return JobStatus("unknown", _NO_SUBMISSION)
    if files.state in UNFINISHED and lease.is_renewed(files.run):
        return JobStatus("running", "the scheduler does not know the job, yet it trains")
    return (_from_log(files.run, job) if job.job_id else None) or status


def _from_log(run: RunDir, job: Submission) -> JobStatus | None:
    """Return how a job ended by its log, where its scheduler is installed here."""
    with contextlib.suppress(UserError):
        return registry.get(job.backend).ending_from_log(run, job)
    return None


def live_holder(run: RunDir, job: Submission | None, status: JobStatus) -> str:
    """Name the holder of the run's lease, unless it is known to be dead; empty without one."""
    _, holder = lease.newest(run)
    if holder is None or holder.released or origin.original(run):
        return ""
    alive = holder.process.is_alive()
    if alive is None and registry.is_local(holder.submission):
        alive = lease.is_renewed(run)
    is_same = job is not None and holder.submission.job_id == job.job_id
    if alive is None and is_same and status.phase != "unsubmitted":
        alive = status.phase in ("queued", "running", "unknown") and not status.is_ending
    if alive is None:
        alive = registry.is_alive(run, holder.submission) in ("yes", "unknown")
    return str(holder) if alive else ""
