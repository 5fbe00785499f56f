"""Slurm as a scheduler."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from hpc_dl.planning.plan import Options, Plan
from hpc_dl.planning.site import Site
from hpc_dl.run.layout import RunDir
from hpc_dl.run.rank_info import RankInfo
from hpc_dl.run.submission import Submission
from hpc_dl.scheduler.base import Job, JobStatus, Resolved, Scheduler, StopCause, Tasks
from hpc_dl.scheduler.slurm import (
    array,
    batch_log,
    client,
    job_records,
    query,
    rank_info,
    requeue,
    sbatch_options,
    sbatch_variables,
    script,
    submit,
)

if TYPE_CHECKING:
    from hpc_dl.jobspec.job import JobSpec, Resources


class Slurm(Scheduler):
    """Slurm, by its commands: sbatch, squeue, sacct, scontrol and scancel."""

    name = "slurm"
    sends_mail = True

    def is_available(self) -> bool:
        return client.is_configured()

    def rank_info(self, environment: Mapping[str, str]) -> RankInfo | None:
        return rank_info.rank_info(environment)

    def options(self, spec: JobSpec, site: Site, run_dir: Path) -> Options:
        return sbatch_options.build(spec, site, run_dir)

    def script(self, plan: Plan, prepare: str = "") -> str:
        return script.job_script(plan, prepare)

    def submit(self, run: RunDir, plan: Plan, intent: Submission) -> Submission:
        return submit.submit(run, plan, intent)

    def query(self, jobs: Sequence[Job]) -> list[JobStatus]:
        return query.query(jobs)

    def cancel(self, run: RunDir, submission: Submission) -> None:
        here = client.cluster_name() if submission.cluster else ""
        elsewhere = submission.cluster if here not in ("", submission.cluster) else ""
        job_records.cancel(submission.job_id, elsewhere)

    def requeue(self, run: RunDir, plan: Plan, rank_info: RankInfo) -> None:
        requeue.requeue(run, plan, rank_info)

    def start_tasks(self, folder: RunDir, plan: Plan, tasks: Tasks) -> list[Submission]:
        return array.start(folder, plan, tasks)

    def task_scripts(self, plan: Plan, tasks: Tasks) -> list[tuple[int, str]]:
        return array.scripts(plan, tasks)

    def count_tasks(self, jobs: Sequence[Submission]) -> int:
        return array.count(jobs)

    def cancel_tasks(self, jobs: Sequence[Submission]) -> None:
        for job in jobs:
            job_records.cancel(job.job_id)

    def run_within(self, run: RunDir, plan: Plan) -> int | None:
        found = rank_info.rank_info(os.environ)
        assert found is not None
        return array.run_within(run, plan, found)

    def resolve(self, resources: Resources, site: Site, environment: Mapping[str, str]) -> Resolved:
        return sbatch_variables.resolve(resources, site, environment)

    def start_after(self, resources: Resources, job_ids: Sequence[str]) -> Resources:
        return sbatch_options.start_after(resources, job_ids)

    def exports_environment(self, options: Options) -> bool:
        return not sbatch_options.exports_less(options)

    def expected_start(self, plan: Plan) -> str:
        try:
            return submit.expected_start(plan)
        except client.SlurmError as error:
            return error.message

    def submission_of(self, rank_info: RankInfo) -> Submission:
        job_id = rank_info.job_id
        return super().submission_of(rank_info).became(job_id, client.cluster_name())

    def stop_cause(self, rank_info: RankInfo, *, warned: bool) -> StopCause | None:
        return requeue.stop_cause(rank_info, warned=warned)

    def forbid_requeue(self, rank_info: RankInfo) -> None:
        requeue.forbid(rank_info)

    def ran_out_of_memory(self, run: RunDir, job_id: str) -> bool:
        return batch_log.ran_out_of_memory(run, job_id)

    def recover(self, run: RunDir) -> Submission | None:
        if found := super().recover(run):
            return found
        if run.script.is_file():  # squeue may show a job by its script
            script = str(run.script)
            return Submission(self.name, "", "", run.script.stat().st_mtime, mark=script)
        return None

    def ending_from_log(self, run: RunDir, submission: Submission) -> JobStatus | None:
        return batch_log.ending(run, submission.job_id)


SCHEDULER = Slurm
