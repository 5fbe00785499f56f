"""How runs are: state, progress, newest metric, as one record each."""

from __future__ import annotations

import contextlib
import dataclasses
import fcntl
import os
import time
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from hpc_dl import failure, journal
from hpc_dl.jobs import memory, process, queue, words
from hpc_dl.jobs.reading import Ends, ends
from hpc_dl.jobs.seen import Seen
from hpc_dl.jobs.state import FINAL, UNFINISHED, combine
from hpc_dl.journal import Journal
from hpc_dl.rundir import RunDir
from hpc_dl.spec import units
from hpc_dl.submission import Submission

STILL_SECONDS = 60.0
"""Without progress for longer than this, a run is said to stand still."""
_HEADLINES = ("val/accuracy", "val/loss", "train/loss")


@dataclass(frozen=True)
class Status:
    """A run as people want to see it. Times are seconds since 1970."""

    id: str
    name: str
    path: str
    state: str
    reason: str
    backend: str | None = None
    job_id: str | None = None
    where: str = ""
    """Nodes, or the partition that it waits for, or the host."""
    epoch: int | None = None
    epochs: int | None = None
    step: int | None = None
    steps: int | None = None
    seconds_left: float | None = None
    metric: str | None = None
    value: float | str | None = None
    created: float | None = None
    started: float | None = None
    ended: float | None = None
    reachable: bool = True
    """Whether who has the job could be asked."""

    @property
    def failed(self) -> bool:
        """Whether it ended without the result that was asked for, and not on the user's word."""
        return self.state in ("failed", "timeout")

    @property
    def age(self) -> float:
        """Seconds since the run was planned."""
        return time.time() - (self.created or time.time())

    def to_json(self) -> dict[str, Any]:
        return {**dataclasses.asdict(self), "age": round(self.age, 1)}


def status(run: RunDir) -> Status:
    """How a run is now."""
    return statuses([run])[0]


def statuses(runs: Iterable[RunDir]) -> list[Status]:
    """How runs are now, in their order; Slurm is asked once for all of them."""
    known = [_Known.read(run) for run in runs]
    seen = _look(known)
    return [_status(one, sight) for one, sight in zip(known, seen, strict=True)]


@dataclass(frozen=True)
class _Known:
    """What the run folder says."""

    run: RunDir
    submission: Submission | None
    state: str
    reason: str
    since: float | None
    facts: dict[str, Any]
    stillness: str
    """For how long no rank has got on, in words, and whom the others wait for."""

    @classmethod
    def read(cls, run: RunDir) -> _Known:
        with ends(run.journal) as found:
            last = found.newest("state") or {}
            facts, stillness = _facts(found), _stillness(found, last.get("t", 0.0))
        state, reason = last.get("state", ""), last.get("reason", "")
        return cls(run, Submission.load(run), state, reason, last.get("t"), facts, stillness)


def _stillness(found: Ends, since: float) -> str:
    """What the newest heartbeat says, if it is younger than the state and older than usual."""
    beat = found.newest("heartbeat")
    if beat is None or beat["t"] < since:
        return ""
    seconds = time.time() - beat["t"] + min(beat["idle"])
    if seconds < STILL_SECONDS:
        return ""
    who = f" ({beat['behind']})" if beat["behind"] else ""
    return f"no progress for {units.roughly(seconds)}{who}"


def _facts(found: Ends) -> dict[str, Any]:
    progress, metrics = found.newest("progress") or {}, found.newest("metrics", '"val/')
    began = (found.newest("started") or {}).get("environment", {})
    values = (metrics or found.newest("metrics") or {"values": {}})["values"]
    metric = next((name for name in (*_HEADLINES, *values) if name in values), None)
    return {
        **{key: progress.get(key) for key in ("epoch", "epochs", "step", "steps", "seconds_left")},
        "where": began.get("slurm", {}).get("job_nodelist") or began.get("host", ""),
        "metric": metric,
        "value": values.get(metric),
        "created": (found.oldest("state") or {}).get("t"),
        "started": (found.oldest("started") or {}).get("t"),
    }


def _look(known: list[_Known]) -> list[Seen]:
    """What can be seen of each run from outside, if that could change anything."""
    wanted = [one.submission for one in known if one.submission and one.state not in FINAL]
    unfinished = {
        one.submission.job_id for one in known if one.submission and one.state in UNFINISHED
    }
    slurm = queue.look([job for job in wanted if job.backend == "slurm"], unfinished)
    return [_seen(one, slurm) for one in known]


def _seen(one: _Known, slurm: dict[str, Seen]) -> Seen:
    job = one.submission
    if job is None or one.state in FINAL:
        return Seen("nowhere")
    if job.backend == "local":
        return process.look(one.run, job)
    seen = slurm[job.job_id]
    return _from_log(one.run, job) or seen if seen.phase == "gone" else seen


def _from_log(run: RunDir, job: Submission) -> Seen | None:
    """What Slurm wrote into the job's log as it ended, where its database could not tell."""
    with contextlib.suppress(OSError):
        log = (run.logs / f"{job.job_id}-batch.log").read_text(errors="replace")
        return words.from_log(log)
    return None


def _status(one: _Known, seen: Seen) -> Status:
    job = one.submission
    died_of = failure.reason(one.run, job.job_id) if job else None
    state, reason, settled = combine(
        one.state, one.reason, seen, died_of, cancelled=one.run.cancel.exists()
    )
    if reason == words.OUT_OF_MEMORY:
        reason = memory.exhausted(one.run)
    if settled and (state, reason) != (one.state, one.reason):
        _settle(one, state, reason)
    if state == "running" and not seen.reason:
        reason = one.stillness or reason
    ended = state in journal.ENDED
    facts = {**one.facts, "where": seen.where or one.facts["where"]}
    if state != "running":
        facts["seconds_left"] = None
    return Status(
        id=one.run.id,
        name=one.run.name,
        path=str(one.run.path),
        state=state,
        reason=reason,
        backend=job.backend if job else None,
        job_id=job.job_id if job else None,
        ended=(one.since if one.state == state else time.time()) if ended else None,
        reachable=seen.phase != "unknown" or one.state not in UNFINISHED,
        **facts,
    )


def _settle(one: _Known, state: str, reason: str) -> None:
    """Journal how a run ended whose worker could not; it is gone, so nobody else writes."""
    with contextlib.suppress(OSError), one.run.journal.open("rb") as file:
        with contextlib.suppress(OSError):  # not every file system has locks
            fcntl.flock(file, fcntl.LOCK_EX)
        if journal.last_state(one.run.journal) == (one.state, one.reason) and os.access(
            one.run.journal, os.W_OK
        ):
            own = Journal(one.run.journal)
            own.append("state", state=state, reason=reason)
            own.close()
