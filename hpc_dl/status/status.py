"""How runs are: state, progress, newest metric, as one record each."""

from __future__ import annotations

import contextlib
import dataclasses
import fcntl
import os
import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any

from hpc_dl.jobspec import units
from hpc_dl.run import failure, journal, lease
from hpc_dl.run import submission as submissions
from hpc_dl.run.journal import Event, Journal
from hpc_dl.run.journal_tail import NO_EVENTS, Ends, ends
from hpc_dl.run.layout import DamagedFile, RunDir, age, open_file
from hpc_dl.run.submission import Submission
from hpc_dl.run.weights import Weights
from hpc_dl.scheduler.base import JobStatus
from hpc_dl.scheduler.local import processes
from hpc_dl.scheduler.slurm import client, messages, query
from hpc_dl.status import memory
from hpc_dl.status.state import FINAL, UNFINISHED, Verdict, combine

UNANSWERED_SECONDS = 120.0
"""After so long a job whose answer was lost is in the queue, or Slurm never got it. One that comes
later all the same finds the run submitted again, and leaves."""
STILL_SECONDS = 60.0
"""Without progress for longer than this, a run is said to stand still."""
LOG_BYTES = 2**16
"""Of the end of a log, where Slurm says last how a job ended."""
UNKNOWN = "unknown"
"""The state of a run whose journal cannot be read, where nothing else shows it."""
_NOBODY_KNOWS = "nobody knows whether a job of it is left"
_PAST = ("over", "gone")
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
    metric_step: int | None = None
    """The step that the metric was measured after."""
    weights: dict[str, Any] | None = None
    """Of a completed run, which weights were tested, drawn and exported; see Weights."""
    validation: dict[str, Any] = field(default_factory=dict)
    test: dict[str, Any] = field(default_factory=dict)
    """What these weights reach on the validation and on the test split, by metric."""
    created: float | None = None
    started: float | None = None
    ended: float | None = None
    reachable: bool = True
    """Whether who has the job could be asked."""
    active: bool = False
    """Whether a job may be at work on it, or wait to be; also where nobody can tell."""
    faults: list[str] = field(default_factory=list)
    """What is wrong with files of the run, each of which is named."""
    holder: str = ""
    """Of a run that has ended, as its journal has it: who has its lease, and may be alive."""

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


def read_status(run: RunDir, patience: float = 0) -> Status:
    """How a run is now; one that has ended is given so many seconds to let go of its lease."""
    until = time.monotonic() + patience
    while (now := read_statuses([run])[0]).holder and time.monotonic() < until:
        time.sleep(0.2)
    return now


def read_statuses(runs: Iterable[RunDir]) -> list[Status]:
    """How runs are now, in their order; Slurm is asked once for all of them."""
    known = [_Known.read(run) for run in runs]
    seen = _look(known)
    return [_status(_adopt(one, sight), sight) for one, sight in zip(known, seen, strict=True)]


def _adopt(one: _Known, seen: JobStatus) -> _Known:
    """Record the number of a job whose answer was lost, now that it is known."""
    job = one.submission
    if job is None or seen.job_id in ("", job.job_id):
        return one
    found = job.became(seen.job_id, client.cluster_name())
    with contextlib.suppress(OSError, DamagedFile):  # another user's
        if Submission.load(one.run) == job:
            found.save(one.run)
    return dataclasses.replace(one, submission=found)


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
    faults: list[str]
    """What is wrong with the files, each of which is named."""
    doubtful: bool
    """Whether the file of the submission is damaged: nobody knows of a later one, if there was."""

    @classmethod
    def read(cls, run: RunDir) -> _Known:
        """What can be read; of what cannot, which file it is."""
        faults = _spec_faults(run)
        last: Event = {}
        facts, stillness = _facts(NO_EVENTS), ""
        with _noting(run, faults), ends(run.journal) as found:
            last = found.newest("state") or {}
            facts = _facts(found, completed=last.get("state") == "completed")
            stillness = _stillness(found, last.get("t") or 0.0)
        submission, fault = submissions.find(run)
        state, reason = last.get("state", ""), last.get("reason") or ""
        if fault:
            faults.append(fault)
        elif submission is None and state in ("running", "requeued"):
            submission = submissions.recover(run)
            faults += [f"{run.submission} is missing"] if submission else []
        if not state and submission and not faults:
            faults.append(f"{run.journal} holds no state of the run")
        since, doubtful = last.get("t"), bool(fault)
        return cls(run, submission, state, reason, since, facts, stillness, faults, doubtful)


@contextlib.contextmanager
def _noting(run: RunDir, faults: list[str]) -> Iterator[None]:
    """Note what cannot be read, and go on without it."""
    try:
        yield
    except DamagedFile as error:
        faults.append(error.message)
    except OSError as error:
        faults.append(f"{error.filename or run.path} cannot be read: {error.strerror}")


def _spec_faults(run: RunDir) -> list[str]:
    """Whether the spec is there; what it says is not asked for here."""
    faults: list[str] = []
    with _noting(run, faults), open_file(run.spec) as file:
        if not os.fstat(file.fileno()).st_size:
            faults.append(f"{run.spec} is damaged: it is empty")
    return faults


def _stillness(found: Ends, since: float) -> str:
    """What the newest heartbeat says, if it is younger than the state and older than usual."""
    beat = found.newest("heartbeat")
    if beat is None or beat["t"] < since:
        return ""
    seconds = time.time() - beat["t"] + min(beat["idle"])
    if seconds < STILL_SECONDS:
        return ""
    who = f" ({beat['behind']})" if beat.get("behind") else ""
    return f"no progress for {units.roughly(seconds)}{who}"


def _results(found: Ends) -> dict[str, Any]:
    """What the trained weights reach, and which they are."""
    said = found.newest("summary") or {}
    weights = Weights.from_json(said.get("weights"))
    return {
        "weights": weights.to_json() if weights else None,
        "validation": said.get("validation") or {},
        "test": {
            name.removeprefix("test/"): value for name, value in (said.get("values") or {}).items()
        },
    }


def _facts(found: Ends, *, completed: bool = False) -> dict[str, Any]:
    progress, metrics = found.newest("progress") or {}, found.newest("metrics", '"val/')
    started = found.newest("started") or {}
    began, monitored = started.get("environment") or {}, f"val/{started.get('monitor')}"
    newest = metrics or found.newest("metrics") or {"values": {}}
    values = newest["values"]
    metric = next((it for it in (monitored, *_HEADLINES, *values) if it in values), None)
    return {
        **{key: progress.get(key) for key in ("epoch", "epochs", "step", "steps", "seconds_left")},
        "where": (began.get("slurm") or {}).get("job_nodelist") or began.get("host") or "",
        "metric": metric,
        "value": values.get(metric),
        "metric_step": newest.get("step") if metric else None,
        **(_results(found) if completed else {}),
        "created": (found.oldest("state") or {}).get("t"),
        "started": (found.oldest("started") or {}).get("t"),
    }


def _look(known: list[_Known]) -> list[JobStatus]:
    """What can be seen of each run from outside, if that could change anything."""
    wanted = [one.submission for one in known if one.submission and one.state not in FINAL]
    unfinished = {one.submission for one in known if one.submission and one.state in UNFINISHED}
    jobs = query.look([job for job in wanted if job.backend == "slurm"], unfinished)
    return [_seen(one, jobs) for one in known]


def _seen(one: _Known, jobs: dict[Submission, JobStatus]) -> JobStatus:
    job = one.submission
    if one.state in FINAL:
        return JobStatus("nowhere")
    if job is None:
        return JobStatus("unknown", _NOBODY_KNOWS) if one.doubtful else JobStatus("nowhere")
    seen = processes.look(one.run, job) if job.backend == "local" else jobs[job]
    if seen.phase == "unanswered" and (age(one.run.submission) or 0) > UNANSWERED_SECONDS:
        seen = JobStatus("gone", "Slurm never got it; `hpcdl submit` sends it again")
    if seen.phase == "over" and one.state in UNFINISHED and (other := _another(one.run, job)):
        return JobStatus("running", f"trained by {other}")
    return _gone(one, job, seen) if seen.phase in ("gone", "unanswered") else seen


def _another(run: RunDir, job: Submission) -> str:
    """Who else has the lease of the run of a job that is over, and touches it."""
    _, holder = lease.newest(run)
    if holder is None or holder.submission.job_id == job.job_id or not lease.is_touched(run):
        return ""
    return str(holder)


def _gone(one: _Known, job: Submission, seen: JobStatus) -> JobStatus:
    """What the run folder shows of a job that nobody has any more, or yet."""
    if one.doubtful:
        return JobStatus("unknown", _NOBODY_KNOWS)
    if one.state in UNFINISHED and lease.is_touched(one.run):
        return JobStatus("running", "nobody knows the job, yet it trains")
    return (_from_log(one.run, job) if job.job_id else None) or seen


def _from_log(run: RunDir, job: Submission) -> JobStatus | None:
    """What Slurm wrote into the job's log as it ended, where its database could not tell."""
    with (
        contextlib.suppress(OSError, DamagedFile),
        open_file(run.logs / f"{job.job_id}-batch.log") as file,
    ):
        file.seek(max(0, os.fstat(file.fileno()).st_size - LOG_BYTES))
        return messages.from_log(file.read().decode(errors="replace"))
    return None


def _status(one: _Known, seen: JobStatus) -> Status:
    job, died_of, cancelled = one.submission, None, False
    with _noting(one.run, one.faults):
        cancelled = os.path.lexists(one.run.cancel)
        died_of = failure.reason(one.run, job.job_id) if job and job.job_id else None
    verdict = combine(one.state, one.reason, seen, died_of, cancelled=cancelled)
    if not one.state and one.faults and not _is_shown(seen, died_of, cancelled=cancelled):
        verdict = Verdict(UNKNOWN, "its job has ended" if seen.phase in _PAST else "")
    state, reason, settled = verdict
    if reason == messages.OUT_OF_MEMORY:
        reason = memory.exhausted(one.run)
    if settled and (state, reason) != (one.state, one.reason):
        _settle(one, state, reason)
    if state == "running" and not seen.reason:
        reason = one.stillness or reason
    ended = state in journal.ENDED
    holder = _holder(one.run, job, seen) if ended and state != "completed" else ""
    facts = {**one.facts, "where": seen.where or one.facts["where"]}
    if state != "running":
        facts["seconds_left"] = None
    return Status(
        id=one.run.id,
        name=one.run.name,
        path=str(one.run.path),
        state=state,
        reason=_with_faults(reason, one.faults),
        backend=job.backend if job else None,
        job_id=(job.job_id or None) if job else None,
        ended=(one.since if one.state == state else time.time()) if ended else None,
        holder=holder,
        reachable=seen.phase not in ("unknown", "unanswered") or one.state not in UNFINISHED,
        active=bool(holder) or _is_active(one, state, seen),
        faults=one.faults,
        **facts,
    )


def _is_shown(seen: JobStatus, died_of: str | None, *, cancelled: bool) -> bool:
    """Whether it shows without the journal how the run is."""
    ended_so = seen.phase in _PAST and (cancelled or (seen.telling and seen.phase == "over"))
    return seen.phase in ("queued", "running") or died_of is not None or ended_so


def _is_active(one: _Known, state: str, seen: JobStatus) -> bool:
    """Whether a job may be at work on the run, or wait to be."""
    if one.doubtful and seen.phase == "unknown":
        return True
    return state not in journal.ENDED and one.submission is not None and seen.phase not in _PAST


def _with_faults(reason: str, faults: list[str]) -> str:
    """The reason, with the faults in its first line: a table shows no other."""
    head, _, rest = reason.partition("\n")
    return "; ".join([*([head] if head else []), *faults]) + (f"\n{rest}" if rest else "")


def _holder(run: RunDir, job: Submission | None, seen: JobStatus) -> str:
    """Who has the lease, unless it is known to be dead."""
    _, holder = lease.newest(run)
    if holder is None or holder.released:
        return ""
    alive = holder.process.is_alive()
    if alive is None and holder.submission.backend == "local":
        alive = lease.is_touched(run)
    same = job is not None and holder.submission.job_id == job.job_id
    if alive is None and same and seen.phase != "nowhere":
        alive = seen.phase in ("queued", "running", "unknown") and not seen.ending
    if alive is None:
        alive = query.is_alive(holder.submission) in ("yes", "unknown")
    return str(holder) if alive else ""


def _settle(one: _Known, state: str, reason: str) -> None:
    """Journal how a run ended whose worker could not; it is gone, so nobody else writes."""
    with contextlib.suppress(OSError, DamagedFile), open_file(one.run.journal) as file:
        with contextlib.suppress(OSError):  # not every file system has locks
            fcntl.flock(file, fcntl.LOCK_EX)
        if journal.last_state(one.run.journal) == (one.state, one.reason) and os.access(
            one.run.journal, os.W_OK
        ):
            own = Journal(one.run.journal)
            own.append("state", state=state, reason=reason)
            own.close()
