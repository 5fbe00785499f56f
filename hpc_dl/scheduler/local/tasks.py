"""The tasks of a sweep as processes of this machine."""

from __future__ import annotations

import contextlib
import math
import os
import subprocess
import time
from pathlib import Path

from hpc_dl.errors import UserError
from hpc_dl.installed import PYTHON
from hpc_dl.planning.plan import Plan
from hpc_dl.run.layout import RunDir
from hpc_dl.run.process_identity import identity, user
from hpc_dl.run.submission import Submission
from hpc_dl.run.waiting import wait_until
from hpc_dl.scheduler.base import Tasks
from hpc_dl.scheduler.local import processes
from hpc_dl.scheduler.submit import submit
from hpc_dl.submission import hpcdl_code

POLL_SECONDS = 0.3


def start(folder: RunDir, plan: Plan, tasks: Tasks) -> list[Submission]:
    """Start as many processes as may run at once, and as this machine has room for, each in a
    session of its own.

    Each has a share of the GPUs that this process may use.
    """
    started = []
    for number in range(min(tasks.concurrent, tasks.number, tasks.room)):
        job = RunDir(folder.path / f"{plan.run_id}-{number + 1}")
        job.logs.mkdir(parents=True)
        with (job.logs / "task.log").open("ab") as log:
            process = subprocess.Popen(
                [*PYTHON, "-u", *tasks.command],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                env=_environment(plan, number),
                start_new_session=True,
            )
        host, pid = os.uname().nodename, process.pid
        submission = Submission(
            "local", str(pid), host, time.time(), pid, user=user(), machine=identity()
        )
        submission.save(job)
        started.append(submission)
    return started


def _environment(plan: Plan, number: int) -> dict[str, str]:
    found = {**os.environ, **plan.environment, "PYTHONSAFEPATH": "1"}
    found |= hpcdl_code.python_path(RunDir(plan.path).hpcdl, found)
    if plan.gpus_per_node and (visible := os.environ.get("CUDA_VISIBLE_DEVICES")):
        names = visible.split(",")
        first = number // plan.shared_by * plan.gpus_per_node
        share = [names[(first + it) % len(names)] for it in range(plan.gpus_per_node)]
        found["CUDA_VISIBLE_DEVICES"] = ",".join(share)
    return found


def is_alive(job: Submission) -> bool:
    """Return whether the process of a task is alive. Raises UserError on another machine."""
    if job.host != os.uname().nodename:
        raise UserError(f"its tasks run on {job.host}; ask there")
    if job.machine != identity() or job.group is None:
        return False
    with contextlib.suppress(OSError):
        words = Path(f"/proc/{job.job_id}/cmdline").read_bytes().split(b"\0")
        return b"hpc_dl.cli.sweeps.task" in words
    return False


def run_within(run: RunDir, plan: Plan) -> int:
    """Submit a run as a job of this machine, and wait until its training has ended; the tracking
    may take longer. Return 0 if it has started."""
    try:
        submission = submit(run, plan)
    except UserError as error:
        return error.exit_code
    wait_until(lambda: processes.has_ended(run, submission), math.inf, POLL_SECONDS)
    return 0
