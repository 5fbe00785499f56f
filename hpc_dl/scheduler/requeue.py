"""Requeue: the one place that decides whether a job is started again, and journals it once.

The scheduler only carries it out. An attempt ends in one of three ways: its ranks stop at a
signal (`after_stop`), none of them makes progress (`after_failure`, called by the worker), or
they die, which the job's script sees (`after_failure`, called by the module of that name).
"""

from __future__ import annotations

from typing import NamedTuple

from hpc_dl.errors import EXIT_FAILED, UserError
from hpc_dl.planning.plan import Plan
from hpc_dl.run import failure, records
from hpc_dl.run.attempts import Attempts, attempts
from hpc_dl.run.journal import Journal, last_state
from hpc_dl.run.layout import DamagedFile, RunDir
from hpc_dl.run.rank_info import RankInfo
from hpc_dl.scheduler.base import RESUBMIT, Scheduler, SchedulerError, StopCause, Unconfirmed

_NO_PROGRESS = "no progress between two requeues"
_NO_START = "in two attempts the training has not begun; see the logs of the ranks"
_FASTER = "Ask for more time (resources.time), or save more often (checkpoint.every)."


class Decision(NamedTuple):
    """Decision on what follows an attempt, as it is journalled."""

    state: str
    """`requeued`, or the state that the run ends in."""
    reason: str


def decide(
    so_far: Attempts, allowed: int, rank_info: RankInfo, cause: StopCause
) -> Decision | None:
    """Decide what follows an attempt that was ended by `cause`; None if that is decided already.

    `allowed` is how many requeues the run may have. Pure.
    """
    if so_far.decided == rank_info.attempt:
        return None
    if so_far.requeues(rank_info) >= allowed:
        count = f" after {_requeues(allowed)}" if allowed else ""
        return Decision(cause.state, f"{cause.reason}{count}; {RESUBMIT}")
    if so_far.made_no_progress:
        return Decision("failed", f"{cause.reason}, and {_NO_PROGRESS}. {_FASTER}")
    if so_far.failed_to_start_twice(rank_info.attempt):
        return Decision("failed", f"{cause.reason}, and {_NO_START}")
    return Decision("requeued", cause.reason)


def check_restart(run: RunDir, rank_info: RankInfo, scheduler: Scheduler) -> None:
    """Raise UserError where a job has been started again too often, or made no progress.

    After the last requeue that is allowed the scheduler is asked not to requeue the job by itself,
    as Slurm does when a node fails or another job pre-empts it.
    """
    if last_state(run.journal)[0] == "completed":
        return
    so_far, allowed = attempts(run), records.load(run.plan, Plan).requeues
    requeues = so_far.requeues(rank_info)
    if requeues > allowed:
        raise UserError(
            f"started again {requeues} times; resources.max_requeues is {allowed}",
            hint=RESUBMIT,
            exit_code=EXIT_FAILED,
        )
    if rank_info.restarts and so_far.made_no_progress:
        raise UserError(_NO_PROGRESS, hint=_FASTER, exit_code=EXIT_FAILED)
    if rank_info.restarts and requeues == allowed:
        scheduler.forbid_requeue(rank_info)


def after_stop(outcome: str, run: RunDir, rank_info: RankInfo, scheduler: Scheduler) -> None:
    """Requeue a job whose ranks have stopped at a signal, if its training is not complete.

    Called on rank 0, which has saved. Where the cause is not known, the job's script decides.
    """
    if outcome not in ("requeue", "stopped"):
        return
    failed = failure.reason(run, rank_info.job_id)
    if failed is not None:  # the scheduler ends all ranks when one has failed
        _record(run, rank_info, Decision("failed", failed))
    elif cause := scheduler.stop_cause(rank_info, warned=outcome == "requeue"):
        if cause.is_requeued:
            _record(run, rank_info, Decision("requeued", cause.reason))
        else:
            _requeue(run, rank_info, scheduler, cause)


def after_failure(run: RunDir, rank_info: RankInfo, scheduler: Scheduler, reason: str) -> None:
    """Requeue a job whose ranks were ended from outside, or hang."""
    _requeue(run, rank_info, scheduler, StopCause(reason, "failed"))


def fail(run: RunDir, rank_info: RankInfo, reason: str) -> None:
    """Record a failure that no requeue would mend, unless it is decided what follows."""
    if attempts(run).decided != rank_info.attempt:
        _record(run, rank_info, Decision("failed", reason))


def _requeue(run: RunDir, rank_info: RankInfo, scheduler: Scheduler, cause: StopCause) -> None:
    """Decide, journal the decision, for a requeued job may end at once, and carry it out."""
    try:
        so_far, plan = attempts(run), records.load(run.plan, Plan)
    except DamagedFile as error:
        return _record(run, rank_info, _not_requeued(cause, error.message))
    decision = decide(so_far, plan.requeues, rank_info, cause)
    if decision is None:
        return
    _record(run, rank_info, decision)
    if decision.state == "requeued":
        try:
            scheduler.requeue(run, plan, rank_info)
        except Unconfirmed:
            pass  # `hpcdl status` finds out
        except SchedulerError as error:
            if not error.answer_lost:
                why = f"{error.message}; {RESUBMIT}"
                _record(run, rank_info, _not_requeued(cause, why))


def _not_requeued(cause: StopCause, why: str) -> Decision:
    return Decision(cause.state, f"{cause.reason}, and not requeued: {why}")


def _requeues(count: int) -> str:
    return "1 requeue" if count == 1 else f"{count} requeues"


def _record(run: RunDir, rank_info: RankInfo, decision: Decision) -> None:
    """Journal what follows this attempt."""
    journal = Journal(run.journal)
    journal.append("state", state=decision.state, reason=decision.reason, attempt=rank_info.attempt)
    journal.close()
