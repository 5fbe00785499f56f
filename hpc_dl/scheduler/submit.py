"""Submit a run so that no job is lost or sent twice, whatever becomes of the scheduler's answer.

What is about to be submitted is recorded in the run folder before the scheduler is asked, with a
mark that the scheduler keeps with the job. A job whose id never comes is found again by its mark.
"""

from __future__ import annotations

from collections.abc import Callable

from hpc_dl.errors import UserError
from hpc_dl.planning.plan import Plan
from hpc_dl.run.layout import RunDir
from hpc_dl.run.submission import Submission
from hpc_dl.scheduler import recovery, registry
from hpc_dl.scheduler.base import Unconfirmed
from hpc_dl.submission.reopen import reopen


def submit(run: RunDir, plan: Plan) -> Submission:
    """Submit a prepared run. Raises UserError where the job is refused, and Unconfirmed."""
    scheduler = registry.get(plan.backend)
    reopen(run)
    return with_intent(run, plan.backend, lambda intent: scheduler.submit(run, plan, intent))


def with_intent(run: RunDir, backend: str, send: Callable[[Submission], Submission]) -> Submission:
    """Record a submission, `send` it, and record what came of it.

    After a refusal the former submission, if any, is recorded again.
    """
    former, intent = recovery.find(run).submission, Submission.intend(run, backend)
    try:
        submission = send(intent)
    except Unconfirmed:
        raise
    except UserError:
        if former:
            former.save(run)
        else:
            run.submission.unlink(missing_ok=True)
        raise
    submission.save(run)
    return submission
