"""Requeue a job, from within it: why Slurm has stopped it, and that it is to start again."""

from __future__ import annotations

import contextlib

from hpc_dl.planning.plan import Plan
from hpc_dl.run.layout import RunDir
from hpc_dl.run.rank_info import RankInfo
from hpc_dl.scheduler.base import StopCause
from hpc_dl.scheduler.slurm import client, job_records, submit
from hpc_dl.scheduler.submit import with_intent


def stop_cause(rank_info: RankInfo, *, warned: bool) -> StopCause | None:
    """Ask Slurm why it has stopped the job: a worker that gets TERM does not know.

    Of a job that is being ended, Slurm says only later whether it was cancelled.
    """
    job = _job(rank_info)
    if _is_requeued(job, rank_info):
        return StopCause("pre-empted, or its node is down", "stopped", is_requeued=True)
    if "PreemptTime" in job:
        return StopCause("pre-empted", "stopped")
    return StopCause("wall-clock limit", "timeout") if warned else None


def forbid(rank_info: RankInfo) -> None:
    """Keep Slurm from requeueing the job; where it does not answer, the next start is refused."""
    with contextlib.suppress(client.SlurmError):
        update = ["scontrol", "update", f"jobid={rank_info.job_id}", "requeue=0"]
        client.call(update, client.COMMAND_SECONDS)


def requeue(run: RunDir, plan: Plan, rank_info: RankInfo) -> None:
    """Have Slurm start this job again or, where the site forbids that, submit another to follow it.

    Raises SlurmError where neither will happen, and Unconfirmed.
    """
    try:
        if plan.follow_up:
            after = f"--dependency=afterany:{rank_info.job_id}"
            with_intent(run, plan.backend, lambda new: submit.send(run, plan, new, [after]))
        else:
            _requeue(rank_info)
    except client.SlurmError:
        if not _is_requeued(_job(rank_info), rank_info):  # by Slurm itself, meanwhile
            raise


def _requeue(rank_info: RankInfo) -> None:
    """Have Slurm start this very job again; after a lost answer it is asked once more.

    Raises SlurmError where the job runs on.
    """
    for last in (False, True):
        try:
            client.call(["scontrol", "requeue", rank_info.job_id], client.COMMAND_SECONDS)
        except client.SlurmError as error:
            job = _job(rank_info)
            state = job.get("JobState", "RUNNING")
            if _is_requeued(job, rank_info) or state not in ("RUNNING", "SUSPENDED"):
                return
            if last or not error.answer_lost:
                raise
        else:
            return


def _job(rank_info: RankInfo) -> dict[str, str]:
    """Return what Slurm shows of the job; nothing where it does not answer."""
    command = ["scontrol", "--oneliner", "show", "job", rank_info.job_id]
    try:
        answer = client.call(command, client.COMMAND_SECONDS)
    except client.SlurmError:
        return {}
    return job_records.fields(answer)


def _is_requeued(job: dict[str, str], rank_info: RankInfo) -> bool:
    """Return whether Slurm has started the job again already, or is about to."""
    restarts = job.get("Restarts", "")
    return restarts.isdecimal() and int(restarts) > rank_info.restarts
