"""Submit a run's script so that no job is lost or sent twice, whatever becomes of sbatch's answer.

What is about to be submitted is recorded in the run folder first, with a mark that Slurm keeps with
the job. If the answer does not come, or cannot be read, the job is looked up by its mark.
"""

from __future__ import annotations

from collections.abc import Sequence

from hpc_dl.errors import EXIT_CLUSTER, UserError
from hpc_dl.run import submission as submissions
from hpc_dl.run.layout import RunDir
from hpc_dl.run.process_identity import user
from hpc_dl.run.submission import Submission
from hpc_dl.run.waiting import wait_until
from hpc_dl.scheduler.slurm import client, job_records
from hpc_dl.scheduler.slurm.client import JobId, SlurmError

SEARCH_SECONDS = 10.0
"""How long a job is looked for whose answer is lost: a busy controller may still have it to do."""
_PAUSE = 0.5


class Unanswered(UserError):
    """It is not known whether Slurm has the job; its submission stays recorded."""

    def __init__(self, run: RunDir, why: str) -> None:
        super().__init__(
            f"not known yet whether Slurm has the job of {run.id}: {why}",
            hint=f"`hpcdl status {run.id}` looks for it again; it is not sent twice.",
            exit_code=EXIT_CLUSTER,
        )


def submit(run: RunDir, options: Sequence[str] = (), *, comment: bool = True) -> Submission:
    """Submit the run's script, with these options of sbatch in addition, and record the job.

    Without `comment`, for a user's own is in the script, the script's argument alone is its mark.
    Raises SlurmError where Slurm refuses: then the former submission, if any, stays recorded.
    Raises Unanswered.
    """
    former, new = submissions.find(run), Submission.intend(run)
    if comment:
        options = [f"--comment={new.mark}", *options]
    try:
        output = client.sbatch(run.script, options, [new.mark]).output
    except SlurmError as error:
        job, why = _look_up(new, error), error
        if job is None and error.lost:
            raise Unanswered(run, error.message) from None
        if job is None:
            _forget(run, former.submission)
            raise why from None
    else:
        job = client.read_job_id(output) or _look_up(new, None)
        if job is None:
            raise Unanswered(run, f"sbatch says {output.strip()!r}")
    submission = new.became(job.number, job.cluster or client.cluster_name())
    submission.save(run)
    return submission


def _look_up(submission: Submission, error: SlurmError | None) -> JobId | None:
    """The job with this mark, if Slurm has it; after a refusal one look is enough."""
    seconds = SEARCH_SECONDS if error is None or error.lost else 0
    return wait_until(lambda: _find_marked(submission), seconds, _PAUSE)


def _find_marked(submission: Submission) -> JobId | None:
    try:
        records = job_records.queued(user=user())
    except SlurmError:
        records = []
    for record in job_records.marked(submission, records):
        if record.phase != "over" or record.nodes:  # of a refused job, Slurm keeps one without
            return JobId(record.job_id)
    return None


def _forget(run: RunDir, former: Submission | None) -> None:
    if former is None:
        run.submission.unlink(missing_ok=True)
    else:
        former.save(run)
