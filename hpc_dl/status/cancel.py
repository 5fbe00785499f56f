"""Cancelling a run: its job is asked to save and stop, and killed where it does not."""

from __future__ import annotations

import os

from hpc_dl.errors import EXIT_CLUSTER, EXIT_FAILED, UserError
from hpc_dl.run import journal
from hpc_dl.run import submission as submissions
from hpc_dl.run.journal import Journal
from hpc_dl.run.layout import REPAIRS, RunDir
from hpc_dl.run.submission import Submission
from hpc_dl.run.waiting import wait_until
from hpc_dl.scheduler.local import processes
from hpc_dl.scheduler.slurm import client, job_records
from hpc_dl.scheduler.slurm.job_records import is_id
from hpc_dl.status.reconcile import reconcile
from hpc_dl.status.status import Status, read_status

LOCAL_SECONDS = 10.0
"""How long a local job has to save and stop before it is killed."""
UNCONFIRMED_SECONDS = 10.0
"""How long a job has to end whose cancellation Slurm has not confirmed."""
SLURM_SECONDS = 90.0
"""How long Slurm may take to end a job; it kills after its own grace time, often 30 s."""


def cancel_run(run: RunDir) -> Status:
    """Stop a run, queued or running, and return its new status; one that has ended stays so.

    Raises UserError where the job cannot be reached, or does not end.
    """
    before, (submission, fault) = read_status(run), submissions.find(run)
    if before.state in journal.ENDED and not before.active:
        reconcile([run])
        return before
    if submission is None and fault:
        raise UserError(
            f"it is unknown which job {run.id} has: {fault}", hint=REPAIRS[run.submission.name]
        )
    run.cancel.touch()  # shows the worker, and `status`, that the end is wanted
    if submission is None:
        Journal(run.journal).append("state", state="cancelled", reason="before it was submitted")
    elif submission.backend == "slurm":
        _cancel_slurm(run, submission.became(before.job_id or "", submission.cluster), fault)
    else:
        _cancel_local(run, submission)
    reconcile([run])
    after = read_status(run)
    if after.state not in journal.ENDED:
        raise UserError(
            f"{run.id} is still {after.state}", hint="Try again in a while.", exit_code=EXIT_FAILED
        )
    return after


def _cancel_slurm(run: RunDir, submission: Submission, fault: str) -> None:
    if not is_id(submission.job_id):
        raise UserError(
            f"not known yet whether Slurm has the job of {run.id}; if so, it will not train",
            hint=f"{fault}\n`hpcdl status {run.id}` looks for it again.".lstrip(),
            exit_code=EXIT_CLUSTER,
        )
    here = client.cluster_name() if submission.cluster else ""
    elsewhere = submission.cluster if here not in ("", submission.cluster) else ""
    try:
        job_records.cancel(submission.job_id, elsewhere)
    except client.SlurmError as error:
        if error.lost and _wait_for_end(run, UNCONFIRMED_SECONDS):
            return
        if read_status(run).state in journal.ENDED:
            return
        run.cancel.unlink(missing_ok=True)
        raise
    _wait_for_end(run, SLURM_SECONDS)


def _cancel_local(run: RunDir, submission: Submission) -> None:
    job = processes.look(run, submission)
    if job.phase == "unknown":
        run.cancel.unlink(missing_ok=True)
        raise UserError(
            f"{run.id} {job.reason}; this is {os.uname().nodename}",
            hint=f"Type it there: hpcdl cancel {run.id}",
        )
    for _ in range(round(LOCAL_SECONDS)):
        processes.ask(run, submission)  # repeatedly: a rank that is still starting does not listen
        if _wait_for_end(run, 1.0):
            return
    processes.kill(run, submission)
    _wait_for_end(run, LOCAL_SECONDS)


def _wait_for_end(run: RunDir, seconds: float) -> bool:
    """Return whether the run has ended within this time."""
    return wait_until(lambda: read_status(run).state in journal.ENDED, seconds)
