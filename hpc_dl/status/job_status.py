"""The status of each run's job: what the scheduler knows, else what lease and log show."""

from __future__ import annotations

import contextlib
import os

from hpc_dl.run import lease
from hpc_dl.run.layout import DamagedFile, RunDir, age, open_file
from hpc_dl.run.submission import Submission
from hpc_dl.scheduler.base import JobStatus
from hpc_dl.scheduler.local import processes
from hpc_dl.scheduler.slurm import messages, query
from hpc_dl.status.run_files import RunFiles
from hpc_dl.status.state import FINAL, UNFINISHED

UNANSWERED_SECONDS = 120.0
"""After so long, a job whose submission was not answered is in the queue, or Slurm never got it.
One that starts later all the same finds the run submitted again, and ends."""
LOG_BYTES = 2**16
"""At the end of a log, where Slurm writes how a job ended."""
_NO_SUBMISSION = "it is unknown which job it has, if any"


def query_jobs(found: list[RunFiles]) -> list[JobStatus]:
    """Return the status of each run's job; each scheduler is asked once for all of its jobs."""
    wanted = [one.submission for one in found if one.submission and one.state not in FINAL]
    unfinished = {one.submission for one in found if one.submission and one.state in UNFINISHED}
    jobs = query.look([job for job in wanted if job.backend == "slurm"], unfinished)
    return [_job_status(one, jobs) for one in found]


def _job_status(files: RunFiles, jobs: dict[Submission, JobStatus]) -> JobStatus:
    job = files.submission
    if files.state in FINAL:
        return JobStatus("nowhere")
    if job is None:
        damaged = files.submission_is_damaged
        return JobStatus("unknown", _NO_SUBMISSION) if damaged else JobStatus("nowhere")
    status = processes.look(files.run, job) if job.backend == "local" else jobs[job]
    if status.phase == "unanswered" and (age(files.run.submission) or 0) > UNANSWERED_SECONDS:
        status = JobStatus("gone", "Slurm never got it; `hpcdl submit` sends it again")
    if status.phase == "over" and files.state in UNFINISHED:
        other = _other_holder(files.run, job)
        return JobStatus("running", f"trained by {other}") if other else status
    return _vanished(files, job, status) if status.phase in ("gone", "unanswered") else status


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
    """Return how a job ended by what Slurm wrote into its log."""
    with (
        contextlib.suppress(OSError, DamagedFile),
        open_file(run.logs / f"{job.job_id}-batch.log") as file,
    ):
        file.seek(max(0, os.fstat(file.fileno()).st_size - LOG_BYTES))
        return messages.from_log(file.read().decode(errors="replace"))
    return None


def live_holder(run: RunDir, job: Submission | None, status: JobStatus) -> str:
    """Name the holder of the run's lease, unless it is known to be dead; empty without one."""
    _, holder = lease.newest(run)
    if holder is None or holder.released:
        return ""
    alive = holder.process.is_alive()
    if alive is None and holder.submission.backend == "local":
        alive = lease.is_renewed(run)
    is_same = job is not None and holder.submission.job_id == job.job_id
    if alive is None and is_same and status.phase != "nowhere":
        alive = status.phase in ("queued", "running", "unknown") and not status.ending
    if alive is None:
        alive = query.is_alive(holder.submission) in ("yes", "unknown")
    return str(holder) if alive else ""
