"""Query the status of many jobs: one squeue for those Slurm knows, one sacct for those it forgot.

A job has ended only by proof: a final state, or the controller's answer that it has no such job.
"""

from __future__ import annotations

import contextlib
import os
import time
from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from itertools import groupby
from pathlib import Path

from platformdirs import user_cache_dir

from hpc_dl.run.process_identity import user
from hpc_dl.run.submission import Submission
from hpc_dl.scheduler.base import Job, JobStatus
from hpc_dl.scheduler.slurm import client, job_records, messages
from hpc_dl.scheduler.slurm.client import SlurmError
from hpc_dl.scheduler.slurm.job_records import Record, accounted, is_id, queued, shown

_UNCONFIRMED = "not known yet whether Slurm has it; `hpcdl status` looks again"


def query(jobs: Sequence[Job]) -> list[JobStatus]:
    """Return the status of each job, in their order.

    Of a job whose run is not unfinished it is asked only whether the controller knows it.
    """
    found = _statuses(
        [job.submission for job in jobs], [it.submission for it in jobs if it.is_unfinished]
    )
    return [found[job.submission] for job in jobs]


def _statuses(jobs: list[Submission], unfinished: list[Submission]) -> dict[Submission, JobStatus]:
    if not jobs:
        return {}
    try:
        found = _in_the_queue(jobs)
    except SlurmError as error:
        return dict.fromkeys(jobs, JobStatus("unknown", _why_unknown(error)))
    reset_unreachable()
    known = {job: _of_job(job, record) for job, record in found.items()}
    forgotten = [job for job in jobs if job not in known]
    asked = [job for job in forgotten if job in unfinished]
    return known | dict.fromkeys(forgotten, JobStatus("lost")) | _forgotten(asked)


def _of_job(job: Submission, record: Record) -> JobStatus:
    """Return what a record says, with the job's id if the submission has none."""
    status = messages.status(record)
    if is_id(record.job_id) and not record.has_number(job.job_id):
        return replace(status, job_id=record.job_id, cluster=client.cluster_name())
    return status


def _why_unknown(error: SlurmError) -> str:
    if not error.unreachable:
        return error.message
    return f"cluster unreachable since {datetime.fromtimestamp(unreachable_since()):%H:%M}"


def _in_the_queue(jobs: list[Submission]) -> dict[Submission, Record]:
    """Return the controller's records; by the mark where a number is unknown, or another job's."""
    known = [job for job in jobs if is_id(job.job_id)]
    records = queued(job.job_id for job in known) if known else []
    found = _matching(known, records)
    shown = {record.job_id for record in records}
    searched = [job for job in jobs if job not in found and job.mark]
    searched = [job for job in searched if job.job_id in shown or not is_id(job.job_id)]
    for who, group in groupby(searched, key=lambda job: job.user or user()):
        of_the_user = queued(user=who)
        for job in group:
            if record := _marked(job, of_the_user):
                found[job] = record
    return found


def _matching(jobs: list[Submission], records: list[Record]) -> dict[Submission, Record]:
    """Return the last record of each job."""
    return {job: record for job in jobs for record in records if record.belongs_to(job)}


def _marked(job: Submission, records: list[Record]) -> Record | None:
    found = job_records.marked(job, records)
    alive = [record for record in found if record.phase != "ended"]
    return next(iter(alive or found), None)


# ---- jobs that the controller does not have, or no longer


def _forgotten(jobs: list[Submission]) -> dict[Submission, JobStatus]:
    if not jobs:
        return {}
    here = client.cluster_name() if any(job.cluster for job in jobs) else ""
    elsewhere = [job for job in jobs if here and job.cluster not in ("", here)]
    found = {job: _elsewhere(job) for job in elsewhere}
    rest = [job for job in jobs if job not in found]
    database = _in_the_database(rest)
    if database is None:
        return found | {job: _not_queued(job, None, accounted_for=False) for job in rest}
    return found | {job: _not_queued(job, database.get(job)) for job in rest}


def _in_the_database(jobs: list[Submission]) -> dict[Submission, Record] | None:
    """Return the newest attempt at each job in Slurm's database; None where it does not answer."""
    numbered = [job for job in jobs if is_id(job.job_id)]
    nameless = [job for job in jobs if not is_id(job.job_id) and job.mark]
    found: dict[Submission, Record] = {}
    try:
        if numbered:
            ids = ",".join(job.job_id for job in numbered)
            found |= _matching(numbered, accounted([f"--jobs={ids}"]))
        for who, group in groupby(nameless, key=lambda job: job.user or user()):
            theirs = list(group)
            since = datetime.fromtimestamp(min(job.submitted for job in theirs)) - timedelta(days=2)
            found |= _matching(
                theirs, accounted([f"--user={who}", f"--starttime={since:%Y-%m-%dT%H:%M:%S}"])
            )
    except SlurmError as error:
        there_is_none = "disabled" in error.message or "no `sacct`" in error.message
        return found if there_is_none else None
    return found


def _not_queued(job: Submission, last: Record | None, *, accounted_for: bool = True) -> JobStatus:
    """Return the status of a job that squeue does not show.

    `accounted_for` is true if the database was asked, too.
    """
    if last and last.phase == "ended":
        return _of_job(job, last)
    if not is_id(job.job_id):
        return JobStatus("unconfirmed", _UNCONFIRMED)
    if not job.is_ours:
        return JobStatus("unknown", f"Slurm shows nothing of {job.user}'s job to {user()}")
    try:
        record = shown(job.job_id)
    except SlurmError as error:
        return JobStatus("unknown", _why_unknown(error))
    if record and record.belongs_to(job):
        return _of_job(job, record)
    return JobStatus("lost", is_certain=accounted_for and last is None)


def _elsewhere(job: Submission) -> JobStatus:
    """Return the status of a job of another cluster, which may not be reachable from here."""
    try:
        records = _matching([job], queued([job.job_id], cluster=job.cluster))
        records = records or _matching([job], accounted([f"--jobs={job.job_id}"], job.cluster))
    except SlurmError:
        records = {}
    if job in records:
        return messages.status(records[job])
    return JobStatus("unknown", f"runs on the cluster {job.cluster}; ask there", where=job.cluster)


# ---- since when the cluster is unreachable: a file of this user's, for the next query


def unreachable_since() -> float:
    """Return since when the cluster does not answer, in seconds since 1970: now, if it did."""
    file = _unreachable_file()
    with contextlib.suppress(OSError):
        file.parent.mkdir(parents=True, exist_ok=True)
        file.touch(exist_ok=False)
    try:
        return file.stat().st_mtime
    except OSError:  # a home without room for it
        return time.time()


def reset_unreachable() -> None:
    """Forget since when the cluster did not answer: it does."""
    with contextlib.suppress(OSError):
        _unreachable_file().unlink(missing_ok=True)


def _unreachable_file() -> Path:
    return Path(user_cache_dir("hpcdl")) / f"unreachable-from-{os.uname().nodename}"
