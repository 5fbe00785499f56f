"""A job on a Slurm cluster: the script is written, and given to sbatch."""

from __future__ import annotations

import re
import shutil
from datetime import datetime

from hpc_dl.planning.plan import Plan
from hpc_dl.run.layout import RunDir, write_atomic
from hpc_dl.run.submission import Submission
from hpc_dl.scheduler.slurm import client, sbatch
from hpc_dl.scheduler.slurm.script import preview, render
from hpc_dl.submission.prepare import reopen

TEST_SECONDS = 5.0
"""How long the question for the start time may take."""


def submit(run: RunDir, plan: Plan) -> Submission:
    """Send the job. Raises SlurmError where the cluster refuses it or cannot be reached.

    Raises sbatch.Unanswered where it is not known whether the cluster has it.
    """
    if shutil.which("sbatch") is None:
        client.call(["sbatch", "--version"], client.PATIENCE)
    reopen(run)
    write_atomic(run.script, preview(plan))
    return sbatch.submit(run, comment="comment" not in plan.sbatch)


def test_only(plan: Plan) -> str:
    """What Slurm says about the start of such a job, the time a local one. Raises SlurmError."""
    answer = client.ask(["sbatch", "--test-only"], TEST_SECONDS, stdin=render(plan, "true"))
    said = re.search(r"^sbatch: (?:Job \d+ )?(to start at .*)$", answer.errors, re.MULTILINE)
    text = said[1] if said else (answer.errors or answer.output).strip().removeprefix("sbatch: ")
    return re.sub(r"(?<=start at )\d{9,}", lambda time: _local(int(time[0])), text)


def _local(seconds: int) -> str:
    return f"{datetime.fromtimestamp(seconds):%Y-%m-%d %H:%M:%S}"
