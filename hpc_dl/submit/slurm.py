"""A job on a Slurm cluster: the script is written, and given to sbatch."""

from __future__ import annotations

import re
import shutil
from datetime import datetime

from hpc_dl import sbatch, slurm
from hpc_dl.plan import Plan
from hpc_dl.rundir import RunDir, write_atomic
from hpc_dl.submission import Submission
from hpc_dl.submit.prepare import reopen
from hpc_dl.submit.script import preview, render

TEST_SECONDS = 5.0
"""How long the question for the start time may take."""


def submit(run: RunDir, plan: Plan) -> Submission:
    """Send the job. Raises SlurmError where the cluster refuses it or cannot be reached.

    Raises sbatch.Unanswered where it is not known whether the cluster has it.
    """
    if shutil.which("sbatch") is None:
        slurm.call(["sbatch", "--version"], slurm.PATIENCE)
    reopen(run)
    write_atomic(run.script, preview(plan))
    return sbatch.submit(run, comment="comment" not in plan.sbatch)


def test_only(plan: Plan) -> str:
    """What Slurm says about the start of such a job, the time a local one. Raises SlurmError."""
    answer = slurm.ask(["sbatch", "--test-only"], TEST_SECONDS, stdin=render(plan, "true"))
    said = re.search(r"^sbatch: (?:Job \d+ )?(to start at .*)$", answer.errors, re.MULTILINE)
    text = said[1] if said else (answer.errors or answer.output).strip().removeprefix("sbatch: ")
    return re.sub(r"(?<=start at )\d{9,}", lambda time: _local(int(time[0])), text)


def _local(seconds: int) -> str:
    return f"{datetime.fromtimestamp(seconds):%Y-%m-%d %H:%M:%S}"
