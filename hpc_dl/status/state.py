"""One state machine: what the journal said last, and what can be seen from outside, as one word."""

from __future__ import annotations

from typing import NamedTuple

from hpc_dl.scheduler.base import JobStatus

UNFINISHED = frozenset({"", "planned", "running", "requeued"})
FINAL = frozenset({"completed", "cancelled", "timeout"})
"""What no requeue follows: a run in one of these states need not be looked for."""


class Verdict(NamedTuple):
    """The state of a run and why."""

    state: str
    reason: str
    settled: bool = False
    """Whether it is the truth for good, whatever the journal says."""


CANCELLED = Verdict("cancelled", "cancelled by the user", settled=True)


def combine(
    state: str, reason: str, seen: JobStatus, failure: str | None = None, *, cancelled: bool = False
) -> Verdict:
    """What the journal's last `state` and its `reason` and what is `seen` amount to.

    `failure` is what a rank died of; `cancelled`, whether the user has asked for the end.
    """
    if state in FINAL:
        return Verdict(state, reason)
    if state == "failed" and seen.phase != "queued":
        return Verdict(state, failure or reason, settled=seen.phase in ("over", "gone"))
    match seen.phase:
        case "queued":
            verdict = Verdict("queued" if state in ("", "planned") else "requeued", seen.reason)
        case "running":
            verdict = _running(state, seen.reason or reason)
        case "over" | "gone":
            verdict = CANCELLED if cancelled else _over(state, reason, seen, failure)
        case "unanswered":
            verdict = Verdict("unknown", seen.reason)
        case _:
            verdict = _unseen(state, reason, seen)
    return verdict


def _running(state: str, reason: str) -> Verdict:
    if state in ("running", "requeued"):
        return Verdict(state, reason)
    return Verdict("running", "stopping" if state == "stopped" else "starting")


def _over(state: str, reason: str, seen: JobStatus, failure: str | None) -> Verdict:
    if failure:
        return Verdict("failed", failure, settled=True)
    if state == "stopped" and not (seen.phase == "over" and seen.telling):
        return Verdict(state, reason)
    if seen.phase == "over":
        return Verdict(seen.state, seen.reason, settled=True)
    why = "killed without a word" if state == "running" else "ended before the training began"
    why = seen.reason or why
    return Verdict("failed", why, settled=seen.certain)


def _unseen(state: str, reason: str, seen: JobStatus) -> Verdict:
    if state not in UNFINISHED:
        return Verdict(state, reason)
    if seen.phase == "nowhere":
        return Verdict(state, reason) if state else Verdict("planned", "not submitted")
    now = state if state in ("running", "requeued") else "queued"
    return Verdict(now, f"{seen.reason}; last known: {now}")
