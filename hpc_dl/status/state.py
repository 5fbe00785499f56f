"""The state machine of a run: its newest journalled state and its job's status become one state."""

from __future__ import annotations

from typing import NamedTuple

from hpc_dl.scheduler.base import JobStatus

UNFINISHED = frozenset({"", "planned", "running", "requeued"})
FINAL = frozenset({"completed", "paused", "cancelled", "timeout"})
"""States that no requeue follows: the scheduler need not be asked about such a run."""


class RunState(NamedTuple):
    """The state of a run, and why."""

    state: str
    reason: str
    is_final: bool = False
    """True if the job has ended in this state for certain, whatever the journal holds."""


CANCELLED = RunState("cancelled", "cancelled by the user", is_final=True)


def derive_state(
    state: str, reason: str, job: JobStatus, failure: str | None = None, *, cancelled: bool = False
) -> RunState:
    """Combine the newest journalled `state` and `reason` with the status of the job.

    `failure` is the error of the first rank that failed; `cancelled` is true if the user has asked
    for a cancellation.
    """
    if state in FINAL:
        return RunState(state, reason)
    if state == "failed" and job.phase != "queued":
        return RunState(state, failure or reason, is_final=job.phase in ("ended", "lost"))
    match job.phase:
        case "queued":
            derived = RunState("queued" if state in ("", "planned") else "requeued", job.reason)
        case "running":
            derived = _running(state, job.reason or reason)
        case "ended" | "lost":
            derived = CANCELLED if cancelled else _ended(state, reason, job, failure)
        case "unconfirmed":
            derived = RunState("unknown", job.reason)
        case _:
            derived = _unknown_job(state, reason, job)
    return derived


def _running(state: str, reason: str) -> RunState:
    if state in ("running", "requeued"):
        return RunState(state, reason)
    return RunState("running", "stopping" if state == "stopped" else "starting")


def _ended(state: str, reason: str, job: JobStatus, failure: str | None) -> RunState:
    if failure:
        return RunState("failed", failure, is_final=True)
    if state == "stopped" and not (job.phase == "ended" and job.has_cause):
        return RunState(state, reason)
    if job.phase == "ended":
        return RunState(job.state, job.reason, is_final=True)
    why = KILLED if state == "running" else "ended before the training began"
    return RunState("failed", job.reason or why, is_final=job.is_certain)


KILLED = "killed without an error message"


def _unknown_job(state: str, reason: str, job: JobStatus) -> RunState:
    if state not in UNFINISHED:
        return RunState(state, reason)
    if job.phase == "unsubmitted":
        return RunState(state, reason) if state else RunState("planned", "not submitted")
    now = state if state in ("running", "requeued") else "queued"
    return RunState(now, f"{job.reason}; last known: {now}")
