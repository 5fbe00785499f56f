"""Arrays of jobs: the tasks of a sweep, in as few submissions as the controller takes."""

from __future__ import annotations

import dataclasses
import os
import subprocess
from collections.abc import Iterator, Sequence
from pathlib import Path

from hpc_dl.planning.plan import Plan
from hpc_dl.run.layout import RunDir, write_atomic
from hpc_dl.run.rank_info import RankInfo
from hpc_dl.run.submission import Submission
from hpc_dl.run.waiting import wait_until
from hpc_dl.scheduler.base import Tasks
from hpc_dl.scheduler.slurm import client, cluster, job_records, script, submit
from hpc_dl.scheduler.slurm.sbatch_options import job_pattern, log_pattern
from hpc_dl.scheduler.submit import with_intent
from hpc_dl.submission.reopen import keep_secrets

PING_SECONDS = 5.0
"""Time-out of the query whether the controller answers."""
REACH_SECONDS, _PAUSE = 600.0, 2.0
"""How long a controller that does not answer is waited for, and how often it is asked."""
_EXPIRED = b"Expired or invalid job"
"""What srun says in a job that Slurm has ended."""
MAX_ARRAY_SIZE = 1001
"""Slurm's default of MaxArraySize, which no task's number reaches."""


def start(folder: RunDir, plan: Plan, tasks: Tasks) -> list[Submission]:
    """Submit the tasks as arrays, one after another where one would be too long.

    An array that follows another starts once that has ended. Raises SlurmError and Unconfirmed.
    """
    sent: list[Submission] = []
    for number, part in enumerate(_parts(tasks), start=1):
        job = RunDir(folder.path / f"{plan.run_id}-{number}")
        after = [f"--dependency=afterany:{sent[-1].job_id}"] if sent else []
        sent.append(_send(job, plan, part, after))
    return sent


def scripts(plan: Plan, tasks: Tasks) -> list[tuple[int, str]]:
    """Return what `start` would submit: the number of tasks of each array, and its script."""
    return [
        (
            part.number,
            _script(RunDir(Path(plan.run_dir, "arrays", "1", str(number))), plan, part)[1],
        )
        for number, part in enumerate(_parts(tasks), start=1)
    ]


def _parts(tasks: Tasks) -> Iterator[Tasks]:
    """Yield the tasks in parts that are no longer than an array may be."""
    chunk = max_array_size() - 1
    for first in range(0, tasks.number, chunk):
        yield tasks._replace(number=min(chunk, tasks.number - first))


def _script(job: RunDir, plan: Plan, tasks: Tasks) -> tuple[Plan, str]:
    """Return the plan of an array, and its script."""
    array = {**plan.sbatch, "array": f"1-{tasks.number}%{min(tasks.concurrent, tasks.number)}"}
    array["output"] = log_pattern(job.path, f"{job_pattern(array)}-batch.log")
    planned = dataclasses.replace(plan, run_dir=str(job.path), sbatch=array)
    return planned, script.driver_script(planned, tasks.command)


def _send(job: RunDir, plan: Plan, tasks: Tasks, options: list[str]) -> Submission:
    job.logs.mkdir(parents=True)
    job.hpcdl.symlink_to(os.path.relpath(RunDir(plan.path).hpcdl, job.path))
    planned, text = _script(job, plan, tasks)
    keep_secrets(job, planned)
    write_atomic(job.script, text)
    return with_intent(job, plan.backend, lambda intent: submit.send(job, planned, intent, options))


def count(jobs: Sequence[Submission]) -> int:
    """Return how many tasks of arrays wait or run. Raises SlurmError."""
    known = [it.job_id for it in jobs if it.job_id]
    records = job_records.queued(known) if known else []
    return sum(it.phase != "ended" for it in records)


def max_array_size() -> int:
    """Return the cluster's MaxArraySize; Slurm's default where it does not say."""
    try:
        size = cluster.read_config().get("MaxArraySize", "")
    except client.SlurmError:
        return MAX_ARRAY_SIZE
    return int(size) if size.isdecimal() and int(size) > 1 else MAX_ARRAY_SIZE


def run_within(run: RunDir, plan: Plan, rank_info: RankInfo) -> int | None:
    """Run the job script of a run as a part of this job; return its exit code, or None where the
    job was ended from outside.

    Where srun cannot reach the controller, the script is run again once that answers.
    """
    in_array = dataclasses.replace(plan, sbatch={**plan.sbatch, "array": rank_info.job_id})
    write_atomic(run.script, script.job_script(in_array))
    log = Path(run.logs, f"{rank_info.job_id}-batch.log")
    while True:
        began = log.stat().st_size if log.exists() else 0
        with log.open("ab") as output:
            code = subprocess.run(
                ["bash", str(run.script), ""], stdout=output, stderr=output, check=False
            ).returncode
        errors = log.read_bytes()[began:]
        if code < 0 or (code and _EXPIRED in errors):  # the shell was killed, as only Slurm does
            return None
        if code == 0 or not _is_out_of_reach(errors):
            return code
        wait_until(_answers, REACH_SECONDS, _PAUSE)


def _is_out_of_reach(errors: bytes) -> bool:
    """Return whether srun has not begun, for it found no controller."""
    return b"Unable to confirm allocation" in errors or b"Unable to contact" in errors


def _answers() -> bool:
    try:
        client.call(["scontrol", "ping"], PING_SECONDS)
    except client.SlurmError:
        return False
    return True
