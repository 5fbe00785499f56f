"""Scheduler: the interface of whoever runs jobs, and what it says about them.

A scheduler has six methods of work (`options`, `script`, `submit`, `query`, `cancel`, `requeue`)
and two by which it is recognised (`is_available`, `rank_info`). Everything else has a default.
"""

from __future__ import annotations

import os
import time
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar, Literal, NamedTuple

from hpc_dl.errors import EXIT_CLUSTER, UserError
from hpc_dl.jobspec.slurm import key_of
from hpc_dl.planning.plan import Options, Plan
from hpc_dl.planning.site import Site
from hpc_dl.run.layout import RunDir
from hpc_dl.run.process_identity import user
from hpc_dl.run.rank_info import RankInfo
from hpc_dl.run.submission import Submission, newest_job

if TYPE_CHECKING:
    from hpc_dl.jobspec.job import JobSpec, Resources

RESUBMIT = "`hpcdl submit` resumes it"
"""What a user can do about a run that was not requeued."""
OUT_OF_MEMORY = "out of memory: ask for more in resources.mem"
"""The reason of a job that was killed for the memory it took."""


class SchedulerError(UserError):
    """The scheduler does not answer (exit code 3), or refuses what it was asked (exit code 2)."""

    answer_lost = False
    """True if only the answer is missing: the scheduler may have done what it was asked."""

    @property
    def unreachable(self) -> bool:
        return self.exit_code == EXIT_CLUSTER


class Unconfirmed(UserError):
    """It is not known whether the scheduler has the job; its submission stays recorded."""

    def __init__(self, run: RunDir, why: str) -> None:
        super().__init__(
            f"not known yet whether the job of {run.id} was submitted: {why}",
            hint=f"`hpcdl status {run.id}` looks for it again; it is not sent twice.",
            exit_code=EXIT_CLUSTER,
        )


@dataclass(frozen=True)
class JobStatus:
    """Status of a job as its scheduler, or the process table, has it."""

    phase: Literal["unsubmitted", "queued", "running", "ended", "lost", "unknown", "unconfirmed"]
    """lost: ended, and nobody knows how; unknown: the scheduler could not be asked; unconfirmed:
    submitted, and not known whether the scheduler has it."""
    reason: str = ""
    state: str = ""
    """Of a job that has ended: the state of its run, unless the journal knows better."""
    where: str = ""
    """Nodes, or the partition that it waits for, or the host."""
    is_certain: bool = True
    """Of a lost job: True if every source that may know how it ended was asked."""
    is_ending: bool = False
    """Of a running job: True if its processes have ended, and the scheduler cleans up."""
    job_id: str = ""
    """The id of a job whose submission has none yet, once it is known."""
    cluster: str = ""
    """The cluster of that job, where the scheduler has several."""
    has_cause: bool = True
    """Of an ended job: True if more is known than that its processes have ended."""


class Job(NamedTuple):
    """A submitted job to query."""

    run: RunDir
    submission: Submission
    is_unfinished: bool = True
    """True if its run has not ended by its journal: then it is worth asking how the job ended."""


class StopCause(NamedTuple):
    """Reason for which the scheduler has stopped an attempt."""

    reason: str
    state: str
    """The state of the run if it is not started again."""
    is_requeued: bool = False
    """True if the scheduler has requeued the job by itself."""


class Tasks(NamedTuple):
    """Jobs that are alike, and take from a common list what each has to do."""

    command: Sequence[str]
    """Words after `python`."""
    number: int
    concurrent: int
    """How many may run at once."""
    room: int = 1
    """How many a machine has room for that is not shared out by a scheduler."""


@dataclass(frozen=True)
class Resolved:
    """Resources and site with what variables of the environment add, and where that comes from."""

    resources: Resources
    site: Site
    origins: dict[str, str] = field(default_factory=dict)
    """The variable that an option comes from, by the option's name."""
    notes: tuple[str, ...] = ()
    """Which variables the job spec overrules."""

    def variable_of(self, key: str) -> str:
        """The variable that a key of the spec, like `resources.time`, has its value from."""
        return next((it for option, it in self.origins.items() if key_of(option) == key), "")


class Scheduler(ABC):
    """Interface of a scheduler. Subclasses are found by name; see `registry`."""

    name: ClassVar[str]
    """As in `plan.json` and `submission.json`, and under which it is registered."""
    on_this_machine: ClassVar[bool] = False
    """True if jobs run on the machine that submits them, at once, without a time limit or requeues,
    and only that machine can tell how they are."""
    sends_mail: ClassVar[bool] = False
    """True if it has options by which it sends mail about a job: `notify.mail`."""

    # ---- recognised by

    @abstractmethod
    def is_available(self) -> bool:
        """Return whether jobs can be submitted from here."""

    @abstractmethod
    def rank_info(self, environment: Mapping[str, str]) -> RankInfo | None:
        """Return the rank of this process, or of a job's script; None outside of its jobs.

        Raises UserError where the environment does not tell.
        """

    # ---- the work

    @abstractmethod
    def options(self, spec: JobSpec, site: Site, run_dir: Path) -> Options:
        """Return the options of the submission, as the plan shows them. Pure."""

    @abstractmethod
    def script(self, plan: Plan, prepare: str = "") -> str:
        """Return the text of the job's script, which runs `python -m hpc_dl.worker RUN_DIR MARK`.

        `prepare` is a command that makes the run folder first, in a script that a user submits by
        hand.
        """

    @abstractmethod
    def submit(self, run: RunDir, plan: Plan, intent: Submission) -> Submission:
        """Submit the job; returns `intent`, which is recorded already, with the job's id.

        Raises UserError where the job is refused, and Unconfirmed where that is not known.
        """

    @abstractmethod
    def query(self, jobs: Sequence[Job]) -> list[JobStatus]:
        """Return the status of each job, in their order. Asks once for all; never raises."""

    @abstractmethod
    def cancel(self, run: RunDir, submission: Submission) -> None:
        """Have a job end. Raises UserError where it cannot be reached."""

    @abstractmethod
    def requeue(self, run: RunDir, plan: Plan, rank_info: RankInfo) -> None:
        """Have the job of this process start again once it has ended.

        Raises SchedulerError where it will not, and Unconfirmed where that is not known.
        """

    # ---- the tasks of a sweep

    def start_tasks(self, folder: RunDir, plan: Plan, tasks: Tasks) -> list[Submission]:
        """Start jobs that each run a command once, and return them; `folder` is for their files.

        Each is planned like `plan`. Raises UserError where they are refused.
        """
        raise UserError(f"{self.name} has no sweeps")

    def task_scripts(self, plan: Plan, tasks: Tasks) -> list[tuple[int, str]]:
        """Return what `start_tasks` would submit: the number of tasks of each array of jobs, and
        its script; nothing where no scripts are submitted. Raises UserError."""
        return []

    def count_tasks(self, jobs: Sequence[Submission]) -> int:
        """Return how many tasks of these jobs wait or run. Raises UserError where it is unknown."""
        raise UserError(f"{self.name} has no sweeps")

    def cancel_tasks(self, jobs: Sequence[Submission]) -> None:
        """Have all tasks of these jobs end. Raises UserError where they cannot be reached."""
        raise UserError(f"{self.name} has no sweeps")

    def run_within(self, run: RunDir, plan: Plan) -> int | None:
        """Train a prepared run within the job of this process; return an exit code, or None where
        the job was ended from outside."""
        raise UserError(f"{self.name} has no sweeps")

    # ---- what a scheduler may know besides

    def resolve(self, resources: Resources, site: Site, environment: Mapping[str, str]) -> Resolved:
        """Fill in what the scheduler's own variables ask for. Raises UserError. Pure."""
        return Resolved(resources, site)

    def start_after(self, resources: Resources, job_ids: Sequence[str]) -> Resources:
        """Add that a job starts once these have ended with success, and never else.

        Raises UserError where the scheduler cannot do that.
        """
        raise UserError(f"{self.name} starts jobs without waiting for others")

    def exports_environment(self, options: Options) -> bool:
        """Return whether the tasks get the environment of the submission."""
        return False

    def expected_start(self, plan: Plan) -> str:
        """Return when the scheduler expects to start such a job; empty if unknown."""
        return ""

    def submission_of(self, rank_info: RankInfo) -> Submission:
        """Return the record of the job that this process belongs to."""
        host = os.uname().nodename
        return Submission(self.name, rank_info.job_id, host, time.time(), user=user())

    def stop_ranks(self, rank_info: RankInfo) -> None:  # noqa: B027
        """End the other ranks after a failure, unless the exit code of this one does so."""

    def stop_cause(self, rank_info: RankInfo, *, warned: bool) -> StopCause | None:
        """Return why this attempt was stopped; `warned` by the signal before a time limit."""
        return StopCause("wall-clock limit", "timeout") if warned else None

    def forbid_requeue(self, rank_info: RankInfo) -> None:  # noqa: B027
        """Keep the scheduler from requeueing the job by itself: it has been requeued enough."""

    def ran_out_of_memory(self, run: RunDir, job_id: str) -> bool:
        """Return whether a job was killed for the memory it took."""
        return False

    def recover(self, run: RunDir) -> Submission | None:
        """Return the submission of the newest job by its logs, where its record is damaged."""
        found = newest_job(run, "logs", r"-(?:batch|\d+)\.log")
        return Submission(self.name, found.job_id, "", found.since) if found else None

    def ending_from_log(self, run: RunDir, submission: Submission) -> JobStatus | None:
        """Return how a lost job ended, by its log; None if unknown."""
        return None
