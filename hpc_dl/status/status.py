"""The status of runs: state, progress and newest metric, one record each. Nothing is written."""

from __future__ import annotations

import contextlib
import dataclasses
import os
import time
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from hpc_dl.run import failure, journal
from hpc_dl.run.layout import RunDir
from hpc_dl.run.submission import Submission
from hpc_dl.run.waiting import wait_until
from hpc_dl.scheduler.base import OUT_OF_MEMORY, JobStatus
from hpc_dl.status import reasons
from hpc_dl.status.job_status import live_holder, query_jobs
from hpc_dl.status.run_files import RunFiles, collect_faults
from hpc_dl.status.state import UNFINISHED, RunState, derive_state

UNKNOWN = "unknown"
"""The state of a run whose journal cannot be read, where nothing else shows it."""
_ENDED_PHASES = ("ended", "lost")


@dataclass(frozen=True)
class Status:
    """Status of a run, as `hpcdl status` shows it. Times are seconds since 1970."""

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
    trainable_parameters: int | None = None
    seconds: float | None = None
    """Of a completed run, how many numbers it has trained, and for how long its last attempt."""
    validation: dict[str, Any] = field(default_factory=dict)
    test: dict[str, Any] = field(default_factory=dict)
    """Metrics of these weights on the validation and on the test split."""
    created: float | None = None
    started: float | None = None
    ended: float | None = None
    """When the end was journalled; of a killed job, when its journal was last written."""
    reachable: bool = True
    """False if the scheduler, or the machine of a local job, could not be asked."""
    active: bool = False
    """True if a job trains the run, or may do so later, or that is unknown."""
    faults: list[str] = field(default_factory=list)
    """Problems with the run's files, each with the name of the file."""
    holder: str = ""
    """Of a run that has ended: the job that still has its lease, and may be alive."""

    @property
    def failed(self) -> bool:
        """True if it ended without its result, and was not cancelled."""
        return self.state in ("failed", "timeout")

    @property
    def age(self) -> float:
        """Seconds since the run was planned."""
        return time.time() - (self.created or time.time())

    def to_json(self) -> dict[str, Any]:
        return {**dataclasses.asdict(self), "age": round(self.age, 1)}


@dataclass(frozen=True)
class Observation:
    """The files of a run, the status of its job, and the state that follows from both."""

    files: RunFiles
    job: JobStatus
    state: RunState

    @property
    def submission(self) -> Submission | None:
        """The recorded submission, with the id of a job that was found only now."""
        recorded, job_id = self.files.submission, self.job.job_id
        return dataclasses.replace(recorded, job_id=job_id) if recorded and job_id else recorded

    def status(self) -> Status:
        """Return the run's status."""
        files, job, submission = self.files, self.job, self.submission
        state, reason, _ = self.state
        if state == "running" and not job.reason:
            reason = files.stall or reason
        has_ended = state in journal.ENDED
        holder = live_holder(files.run, submission, job) if _may_be_held(state) else ""
        progress = {**files.progress, "where": job.where or files.progress["where"]}
        if state != "running":
            progress["seconds_left"] = None
        return Status(
            id=files.run.id,
            name=files.run.name,
            path=str(files.run.path),
            state=state,
            reason=reasons.with_faults(reason, files.faults),
            backend=submission.backend if submission else None,
            job_id=(submission.job_id or None) if submission else None,
            ended=self._ended() if has_ended else None,
            holder=holder,
            reachable=job.phase not in ("unknown", "unconfirmed") or files.state not in UNFINISHED,
            active=bool(holder) or self._may_be_active(),
            faults=files.faults,
            **progress,
        )

    def _ended(self) -> float | None:
        if self.files.state == self.state.state:
            return self.files.since
        with contextlib.suppress(OSError):
            return self.files.run.journal.stat().st_mtime
        return None

    def _may_be_active(self) -> bool:
        if self.files.submission_is_damaged and self.job.phase == "unknown":
            return True
        has_ended = self.state.state in journal.ENDED or self.job.phase in _ENDED_PHASES
        return self.submission is not None and not has_ended


def _may_be_held(state: str) -> bool:
    return state in journal.ENDED and state != "completed"


def read_status(run: RunDir, seconds: float = 0) -> Status:
    """Return the status of a run; one that has ended has so many seconds to release its lease."""

    found: list[Status] = []

    def is_released() -> bool:
        found[:] = read_statuses([run])
        return not found[0].holder

    wait_until(is_released, seconds)
    return found[0]


def read_statuses(runs: Iterable[RunDir]) -> list[Status]:
    """Return the statuses of runs, in their order; Slurm is asked once for all of them."""
    return [observation.status() for observation in observe(runs)]


def observe(runs: Iterable[RunDir]) -> list[Observation]:
    """Read the files of runs, and ask their schedulers."""
    found = [RunFiles.read(run) for run in runs]
    return [_observe(*pair) for pair in zip(found, query_jobs(found), strict=True)]


def _observe(files: RunFiles, job: JobStatus) -> Observation:
    job_id = job.job_id or (files.submission.job_id if files.submission else "")
    error, cancelled = None, False
    with collect_faults(files.run, files.faults):
        cancelled = os.path.lexists(files.run.cancel)
        error = failure.reason(files.run, job_id) if job_id else None
    state = derive_state(files.state, files.reason, job, error, cancelled=cancelled)
    has_evidence = error is not None or _is_evident(job, cancelled=cancelled)
    if not files.state and files.faults and not has_evidence:
        state = RunState(UNKNOWN, "its job has ended" if job.phase in _ENDED_PHASES else "")
    if state.reason == OUT_OF_MEMORY:
        state = state._replace(reason=reasons.out_of_memory(files.run))
    return Observation(files, job, state)


def _is_evident(job: JobStatus, *, cancelled: bool) -> bool:
    """Return whether a run's state is known without its journal."""
    if job.phase in ("queued", "running"):
        return True
    return job.phase in _ENDED_PHASES and (cancelled or (job.has_cause and job.phase == "ended"))
