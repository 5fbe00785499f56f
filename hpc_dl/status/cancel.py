"""Cancelling a run: its job is asked to save and stop, and killed where it does not."""

from __future__ import annotations

from hpc_dl.errors import EXIT_CLUSTER, EXIT_FAILED, UserError
from hpc_dl.run import journal
from hpc_dl.run.journal import Journal
from hpc_dl.run.layout import REPAIRS, RunDir, writing_as
from hpc_dl.run.submission import Submission
from hpc_dl.run.waiting import wait_until
from hpc_dl.scheduler import recovery, registry
from hpc_dl.scheduler.base import SchedulerError
from hpc_dl.status.reconcile import reconcile
from hpc_dl.status.status import Status, read_status

UNCONFIRMED_SECONDS = 10.0
"""How long a job has to end whose cancellation the scheduler has not confirmed."""
END_SECONDS = 90.0
"""How long a scheduler may take to end a job; Slurm kills after its own grace time, often 30 s."""


def cancel_run(run: RunDir) -> Status:
    """Stop a run, queued or running, and return its new status; one that has ended stays so.

    Raises UserError where the job cannot be reached, or does not end.
    """
    before, (submission, fault) = read_status(run), recovery.find(run)
    if before.state in journal.ENDED and not before.active:
        reconcile([run])
        return before
    if submission is None and fault:
        raise UserError(
            f"it is unknown which job {run.id} has: {fault}", hint=REPAIRS[run.submission.name]
        )
    with writing_as(run):
        run.cancel.touch()  # shows the worker, and `status`, that the end is wanted
        if submission is None:
            reason = "before it was submitted"
            Journal(run.journal).append("state", state="cancelled", reason=reason)
    if submission is not None:
        _cancel_job(run, submission.became(before.job_id or "", submission.cluster), fault)
    reconcile([run])
    after = read_status(run)
    if after.state not in journal.ENDED:
        raise UserError(
            f"{run.id} is still {after.state}", hint="Try again in a while.", exit_code=EXIT_FAILED
        )
    return after


def _cancel_job(run: RunDir, submission: Submission, fault: str) -> None:
    """Have the scheduler end the job, and wait until it has."""
    if not submission.job_id:
        raise UserError(
            f"not known yet whether the job of {run.id} was submitted; if so, it will not train",
            hint=f"{fault}\n`hpcdl status {run.id}` looks for it again.".lstrip(),
            exit_code=EXIT_CLUSTER,
        )
    try:
        registry.get(submission.backend).cancel(run, submission)
    except UserError as error:
        is_lost = isinstance(error, SchedulerError) and error.answer_lost
        if _wait_for_end(run, UNCONFIRMED_SECONDS if is_lost else 0.0):
            return
        run.cancel.unlink(missing_ok=True)
        raise
    _wait_for_end(run, END_SECONDS)


def _wait_for_end(run: RunDir, seconds: float) -> bool:
    """Return whether the run has ended within this time."""
    return wait_until(lambda: read_status(run).state in journal.ENDED, seconds)
