"""This machine as a scheduler: jobs are processes of it, and start at once."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from hpc_dl.errors import UserError
from hpc_dl.planning.plan import Options, Plan
from hpc_dl.planning.site import Site
from hpc_dl.run.attempts import started_on
from hpc_dl.run.layout import RunDir
from hpc_dl.run.rank_info import RankInfo
from hpc_dl.run.submission import Submission, newest_job
from hpc_dl.scheduler.base import Job, JobStatus, Scheduler, SchedulerError, Tasks
from hpc_dl.scheduler.local import processes, submit, task, tasks

if TYPE_CHECKING:
    from hpc_dl.jobspec.job import JobSpec


class Local(Scheduler):
    """Processes of this machine, under submitit's local controller."""

    name = "local"
    on_this_machine = True

    def is_available(self) -> bool:
        return True

    def rank_info(self, environment: Mapping[str, str]) -> RankInfo | None:
        return task.rank_info(environment)

    def options(self, spec: JobSpec, site: Site, run_dir: Path) -> Options:
        if found := re.search(r"%[jtAa]", str(run_dir)):
            raise UserError(
                f"a local job cannot have its logs in {str(run_dir)!r}: submitit takes "
                f"'{found[0]}' for a job's number",
                hint="Take another run_root: HPCDL_RUN_ROOT, or in the site's file.",
            )
        return {}

    def script(self, plan: Plan, prepare: str = "") -> str:
        return ""  # a local job has none

    def submit(self, run: RunDir, plan: Plan, intent: Submission) -> Submission:
        return submit.submit(run, plan, intent)

    def query(self, jobs: Sequence[Job]) -> list[JobStatus]:
        return [processes.status(job.run, job.submission) for job in jobs]

    def cancel(self, run: RunDir, submission: Submission) -> None:
        processes.cancel(run, submission)

    def requeue(self, run: RunDir, plan: Plan, rank_info: RankInfo) -> None:
        raise SchedulerError("a job on this machine is not requeued")

    def start_tasks(self, folder: RunDir, plan: Plan, tasks_: Tasks) -> list[Submission]:
        return tasks.start(folder, plan, tasks_)

    def count_tasks(self, jobs: Sequence[Submission]) -> int:
        return sum(map(tasks.is_alive, jobs))

    def cancel_tasks(self, jobs: Sequence[Submission]) -> None:
        pass  # they see that their sweep is cancelled

    def run_within(self, run: RunDir, plan: Plan) -> int:
        return tasks.run_within(run, plan)

    def exports_environment(self, options: Options) -> bool:
        return True

    def submission_of(self, rank_info: RankInfo) -> Submission:
        return submit.submission_of(rank_info.job_id)

    def recover(self, run: RunDir) -> Submission | None:
        found = newest_job(run, "submitit", r"_submitted\.pkl")
        if found:
            return Submission(self.name, found.job_id, started_on(run), found.since)
        return None if run.script.is_file() else super().recover(run)

    def stop_ranks(self, rank_info: RankInfo) -> None:
        task.stop_ranks(rank_info)


SCHEDULER = Local
