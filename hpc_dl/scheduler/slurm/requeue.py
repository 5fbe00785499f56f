"""A job's own dealings with Slurm: that it has the run, why it was stopped, to be started again."""

from __future__ import annotations

import contextlib
import os
import time

from hpc_dl.errors import EXIT_FAILED, UserError
from hpc_dl.planning.plan import Plan
from hpc_dl.run import failure, records
from hpc_dl.run.attempts import attempts
from hpc_dl.run.journal import Journal, last_state
from hpc_dl.run.layout import DamagedFile, RunDir
from hpc_dl.run.process_identity import user
from hpc_dl.run.rank_info import RankInfo
from hpc_dl.run.submission import Submission
from hpc_dl.scheduler.slurm import client, job_records, sbatch

_UPDATE, _SHOW = ("scontrol", "update"), ("scontrol", "--oneliner", "show", "job")

GO_ON = "`hpcdl submit` again goes on"
_NO_PROGRESS = "no progress between two requeues"
_NO_START = "in two attempts the training has not begun; see the logs of the ranks"
_FASTER = "Ask for more time (resources.time), or save more often (checkpoint.every)."


def claim(run: RunDir, rank_info: RankInfo, mark: str) -> Submission:
    """The submission that this job is of, with its number, which may not be recorded yet.

    Without a mark the script was given to sbatch by hand. Raises UserError where the run has been
    submitted again since.
    """
    try:
        former = Submission.load(run)
    except DamagedFile:  # it is written anew
        former = None
    if former and former.job_id == rank_info.job_id and mark in ("", former.mark):
        return former
    if former and mark and former.mark != mark:
        newer = f"job {former.job_id}" if former.job_id else f"a job from {former.host}"
        raise UserError(
            f"{run.id} has been submitted again: {newer} has it now, and this job leaves it alone",
            exit_code=EXIT_FAILED,
        )
    if former is None or not mark:
        host = os.uname().nodename
        former = Submission("slurm", "", host, time.time(), mark=mark, user=user())
    return former.became(rank_info.job_id, client.cluster_name())


def check_restart(run: RunDir, rank_info: RankInfo) -> None:
    """Raise UserError where Slurm has started the job again too often, or to no avail.

    After the last requeue that is allowed Slurm is told so: it requeues a job by itself when a node
    fails or another job pre-empts it.
    """
    if last_state(run.journal)[0] == "completed":
        return
    so_far, allowed = attempts(run), records.load(run.plan, Plan).requeues
    requeues = so_far.requeues(rank_info)
    if requeues > allowed:
        raise UserError(
            f"started again {requeues} times; resources.max_requeues is {allowed}",
            hint=GO_ON,
            exit_code=EXIT_FAILED,
        )
    if rank_info.restarts and so_far.stand_still:
        raise UserError(_NO_PROGRESS, hint=_FASTER, exit_code=EXIT_FAILED)
    if rank_info.restarts and requeues == allowed:
        with contextlib.suppress(client.SlurmError):  # then the next start is one too many
            client.call([*_UPDATE, f"jobid={rank_info.job_id}", "requeue=0"], client.PATIENCE)


def after(outcome: str, run: RunDir, rank_info: RankInfo) -> None:
    """Have the job started again if it wants to go on and may, and journal what became of it.

    A worker that was told to stop does not know why; Slurm does, though of a job that is being
    ended it says only later whether it was cancelled. Called on rank 0, which has saved.
    """
    if outcome not in ("requeue", "stopped"):
        return
    failed, job = failure.reason(run, rank_info.job_id), _job(rank_info)
    if failed is not None:  # Slurm ends all ranks when one has failed
        _note(run, rank_info, "failed", failed)
    elif _is_requeued(job, rank_info):
        _note(run, rank_info, "requeued", "pre-empted, or its node is down")
    elif "PreemptTime" in job:
        go_on(run, rank_info, "pre-empted", "stopped")
    elif outcome == "requeue":
        go_on(run, rank_info, "wall-clock limit", "timeout")


def go_on(run: RunDir, rank_info: RankInfo, why: str, otherwise: str) -> None:
    """Start the job again, or end in the state `otherwise` where that has been done too often.

    Here alone it is decided, once for an attempt, and journalled.
    """
    try:
        so_far, plan = attempts(run), records.load(run.plan, Plan)
    except DamagedFile as error:
        return _note(run, rank_info, otherwise, f"{why}, and not started again: {error.message}")
    allowed = plan.requeues
    if so_far.decided == rank_info.attempt:
        return
    if so_far.requeues(rank_info) >= allowed:
        times = f" after {_times(allowed)}" if allowed else ""
        return _note(run, rank_info, otherwise, f"{why}{times}; {GO_ON}")
    if so_far.stand_still:
        return _note(run, rank_info, "failed", f"{why}, and {_NO_PROGRESS}. {_FASTER}")
    if so_far.start_in_vain(rank_info.attempt):
        return _note(run, rank_info, "failed", f"{why}, and {_NO_START}")
    _note(run, rank_info, "requeued", why)
    try:
        if plan.follow_up:
            _follow_up(run, rank_info)
        else:
            _requeue(rank_info)
    except sbatch.Unanswered:
        pass  # `hpcdl status` finds out
    except client.SlurmError as error:
        if not (
            error.lost or _is_requeued(_job(rank_info), rank_info)
        ):  # by Slurm itself, meanwhile
            why = f"{why}, and not started again: {error.message}; {GO_ON}"
            _note(run, rank_info, otherwise, why)


def give_up(run: RunDir, rank_info: RankInfo, why: str) -> None:
    """End in failure, unless it has been decided already what follows this attempt."""
    if attempts(run).decided != rank_info.attempt:
        _note(run, rank_info, "failed", why)


def _times(requeues: int) -> str:
    return "1 requeue" if requeues == 1 else f"{requeues} requeues"


def _requeue(rank_info: RankInfo) -> None:
    """Have Slurm start this very job again; after a lost answer it is asked once more.

    Raises SlurmError where the job runs on.
    """
    for last in (False, True):
        try:
            client.call(["scontrol", "requeue", rank_info.job_id], client.PATIENCE)
        except client.SlurmError as error:
            job = _job(rank_info)
            state = job.get("JobState", "RUNNING")
            if _is_requeued(job, rank_info) or state not in ("RUNNING", "SUSPENDED"):
                return
            if last or not error.lost:
                raise
        else:
            return


def _follow_up(run: RunDir, rank_info: RankInfo) -> None:
    """Submit the same script once more, to start when this job has ended."""
    after = f"--dependency=afterany:{rank_info.job_id}"
    sbatch.submit(run, [after], comment="comment" not in records.load(run.plan, Plan).sbatch)


def _job(rank_info: RankInfo) -> dict[str, str]:
    """What Slurm says of the job; nothing where it does not answer."""
    try:
        answer = client.call([*_SHOW, rank_info.job_id], client.PATIENCE)
    except client.SlurmError:
        return {}
    return job_records.fields(answer)


def _is_requeued(job: dict[str, str], rank_info: RankInfo) -> bool:
    """Whether Slurm has started the job again already, or is about to."""
    restarts = job.get("Restarts", "")
    return restarts.isdecimal() and int(restarts) > rank_info.restarts


def _note(run: RunDir, rank_info: RankInfo, state: str, reason: str) -> None:
    """Journal what was decided after this attempt."""
    journal = Journal(run.journal)
    journal.append("state", state=state, reason=reason, attempt=rank_info.attempt)
    journal.close()
