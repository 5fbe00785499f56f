"""Submit a job to Slurm: the run's script is given to sbatch, with a mark that Slurm keeps.

If sbatch's answer does not come, or cannot be read, the job is looked up by its mark.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import datetime

from hpc_dl.planning.plan import Plan
from hpc_dl.run.layout import RunDir, write_atomic
from hpc_dl.run.process_identity import user
from hpc_dl.run.submission import Submission
from hpc_dl.run.waiting import wait_until
from hpc_dl.scheduler.base import Unconfirmed
from hpc_dl.scheduler.slurm import client, job_records
from hpc_dl.scheduler.slurm.client import JobId, SlurmError
from hpc_dl.scheduler.slurm.script import job_script

SEARCH_SECONDS = 10.0
"""How long a job is searched for after a lost answer: a busy controller may submit it late."""
TEST_SECONDS = 5.0
"""Time-out of the query for the start time."""
_PAUSE = 0.5


def submit(run: RunDir, plan: Plan, intent: Submission) -> Submission:
    """Write the job script and submit it; raises as `send` does."""
    write_atomic(run.script, job_script(plan))
    return send(run, plan, intent)


def send(run: RunDir, plan: Plan, intent: Submission, options: Sequence[str] = ()) -> Submission:
    """Submit the run's script, with these options of sbatch in addition.

    Raises SlurmError where Slurm refuses the job, and Unconfirmed.
    """
    if "comment" not in plan.sbatch:  # else the script's argument alone is the mark
        options = [f"--comment={intent.mark}", *options]
    try:
        output = client.sbatch(run.script, options, [intent.mark]).output
    except SlurmError as error:
        job, why = _look_up(intent, error), error
        if job is None and error.answer_lost:
            raise Unconfirmed(run, error.message) from None
        if job is None:
            raise why from None
    else:
        job = client.read_job_id(output) or _look_up(intent, None)
        if job is None:
            raise Unconfirmed(run, f"sbatch says {output.strip()!r}")
    return intent.became(job.number, job.cluster or client.cluster_name())


def _look_up(submission: Submission, error: SlurmError | None) -> JobId | None:
    """Return the job with this mark, if Slurm has it; after a refusal one query is enough."""
    seconds = SEARCH_SECONDS if error is None or error.answer_lost else 0
    return wait_until(lambda: _find_marked(submission), seconds, _PAUSE)


def _find_marked(submission: Submission) -> JobId | None:
    try:
        records = job_records.queued(user=user())
    except SlurmError:
        records = []
    for record in job_records.marked(submission, records):
        if record.phase != "ended" or record.nodes:  # of a refused job Slurm keeps one without
            return JobId(record.job_id)
    return None


def expected_start(plan: Plan) -> str:
    """Return what `sbatch --test-only` says, with the time a local one. Raises SlurmError."""
    answer = client.ask(["sbatch", "--test-only"], TEST_SECONDS, stdin=job_script(plan))
    match = re.search(r"^sbatch: (?:Job \d+ )?(to start at .*)$", answer.errors, re.MULTILINE)
    text = match[1] if match else (answer.errors or answer.output).strip()
    text = text.removeprefix("sbatch: ")
    return re.sub(r"(?<=start at )\d{9,}", lambda time: _local(int(time[0])), text)


def _local(seconds: int) -> str:
    return f"{datetime.fromtimestamp(seconds):%Y-%m-%d %H:%M:%S}"
