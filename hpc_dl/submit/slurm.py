"""A job on a Slurm cluster, through submitit: the only importer of it beside `local`."""

from __future__ import annotations

import contextlib
import io
import os
import re
import shutil
import subprocess
import time
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import Any

from hpc_dl import slurm
from hpc_dl.job import TrainJob
from hpc_dl.plan import Plan
from hpc_dl.rundir import RunDir, write_atomic
from hpc_dl.submission import Submission
from hpc_dl.submit.prepare import reopen
from hpc_dl.submit.script import preview, render

SECONDS = 60
"""How long sbatch may take."""
TEST_SECONDS = 5.0
"""How long the question for the start time may take."""


def submit(run: RunDir, plan: Plan) -> Submission:
    """Send the job. Raises SlurmError where the cluster refuses it or cannot be reached."""
    if shutil.which("sbatch") is None:
        slurm.call(["sbatch", "--version"], SECONDS)
    reopen(run)
    with _outside_of_any_job(), contextlib.redirect_stderr(io.StringIO()):
        job_id = _send(run, plan)
    submission = Submission("slurm", job_id, os.uname().nodename, time.time())
    submission.save(run)
    return submission


def test_only(plan: Plan) -> str:
    """What Slurm says about the start of such a job, the time a local one. Raises SlurmError."""
    answer = slurm.call(["sbatch", "--test-only"], TEST_SECONDS, stdin=render(plan, "true"))
    answer = re.sub(r"^sbatch: (Job \d+ )?", "", answer.strip())
    return re.sub(r"(?<=start at )\d{9,}", lambda time: _local(int(time[0])), answer)


def _local(seconds: int) -> str:
    return f"{datetime.fromtimestamp(seconds):%Y-%m-%d %H:%M:%S}"


def _send(run: RunDir, plan: Plan) -> str:
    from submitit.core.utils import FailedJobError, FailedSubmissionError

    executor = _executor(run, plan)
    try:
        return str(executor.submit(TrainJob(str(run.path))).job_id)
    except (FailedJobError, FailedSubmissionError) as error:
        cause = error.__cause__
        killed = isinstance(cause, subprocess.CalledProcessError) and cause.returncode in (124, 137)
        said = f"connection timed out after {SECONDS} s" if killed else str(error)
        raise slurm.error_of("sbatch", said) from None


def _executor(run: RunDir, plan: Plan) -> Any:
    """submitit's executor, with our script and a time-out around sbatch."""
    from submitit.slurm.slurm import SlurmExecutor

    class Executor(SlurmExecutor):  # type: ignore[misc]
        def _make_submission_file_text(self, command: str, uid: str) -> str:
            text = preview(plan)
            write_atomic(run.script, text)
            return text

        def _make_submission_command(self, submission_file_path: Path) -> list[str]:
            limit = ["timeout", "--kill-after=5", str(SECONDS)]
            return [*limit, *super()._make_submission_command(submission_file_path)]

    return Executor(run.path / "submitit")


@contextlib.contextmanager
def _outside_of_any_job() -> Iterator[None]:
    """Without what a surrounding job left in the environment; which cluster it is, stays."""
    from submitit.helpers import clean_env

    names = ("SLURM_CONF", "SLURM_CLUSTERS")
    cluster = {key: os.environ[key] for key in names if key in os.environ}
    with clean_env():
        os.environ.update(cluster)
        yield
