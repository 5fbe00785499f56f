"""A job's own dealings with Slurm: that it has the run, why it was stopped, to be started again."""

from __future__ import annotations

import os
import re
import time

from hpc_dl import failure, slurm
from hpc_dl.journal import Journal
from hpc_dl.place import Place
from hpc_dl.rundir import RunDir, read_json
from hpc_dl.submission import Submission

GO_ON = "`hpcdl submit` again goes on"


def claim(run: RunDir, place: Place) -> None:
    """Record that this job has the run, if nobody did: the script was given to sbatch by hand."""
    submission = Submission.load(run)
    if submission is None or submission.job_id != place.job_id:
        submitted = float(_job(place).get("SubmitTime", time.time()))
        Submission("slurm", place.job_id, os.uname().nodename, submitted).save(run)


def after(outcome: str, run: RunDir, place: Place) -> None:
    """Requeue the job if it wants to go on and may, and journal what became of it.

    A worker that was told to stop does not know why; Slurm does, though of a job that is being
    ended it says only later whether it was cancelled. Called on rank 0, which has saved.
    """
    if outcome not in ("requeue", "stopped"):
        return
    failed, job = failure.reason(run, place.job_id), _job(place)
    if failed is not None:  # Slurm ends all ranks when one has failed
        _note(run, "failed", failed)
    elif int(job.get("Restarts", 0)) > place.restarts:
        _note(run, "requeued", "pre-empted")
    elif job.get("PreemptTime", "None") != "None":
        _note(run, "requeued", "pre-empted")
        _go_on(run, place, "pre-empted", "stopped")
    elif outcome == "requeue":
        _go_on(run, place, "wall-clock limit", "timeout")


def _go_on(run: RunDir, place: Place, why: str, otherwise: str) -> None:
    """Requeue, or end in the state `otherwise` where that has been done often enough."""
    allowed = int(read_json(run.plan)["requeues"])
    if place.restarts >= allowed:
        times = f" after {allowed} requeues" if allowed else ""
        return _note(run, otherwise, f"{why}{times}; {GO_ON}")
    try:
        slurm.call(["scontrol", "requeue", place.job_id], slurm.PATIENCE)
    except slurm.SlurmError as error:
        _note(run, otherwise, f"{why}, and not requeued: {error.message}; {GO_ON}")


def _job(place: Place) -> dict[str, str]:
    """What Slurm says of the job; nothing where it does not answer."""
    try:
        answer = slurm.call(["scontrol", "--oneliner", "show", "job", place.job_id], slurm.PATIENCE)
    except slurm.SlurmError:
        return {}
    return dict(re.findall(r"(\w+)=(\S+)", answer))


def _note(run: RunDir, state: str, reason: str) -> None:
    journal = Journal(run.journal)
    journal.append("state", state=state, reason=reason)
    journal.close()
