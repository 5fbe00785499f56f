"""The doctor's job: submitted like a run, awaited, and read; its folder is removed afterwards."""

from __future__ import annotations

import shutil
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from hpc_dl.doctor import report
from hpc_dl.doctor.report import DONE, Report
from hpc_dl.errors import UserError
from hpc_dl.planning.plan import Plan
from hpc_dl.run.layout import RunDir, write_atomic, write_json
from hpc_dl.run.submission import Submission
from hpc_dl.run.waiting import wait_until
from hpc_dl.scheduler import registry
from hpc_dl.scheduler.base import Job, JobStatus
from hpc_dl.scheduler.slurm import script
from hpc_dl.scheduler.slurm import submit as slurm
from hpc_dl.scheduler.slurm.cluster import Cluster
from hpc_dl.scheduler.submit import with_intent

SPEC = Path(__file__).parent / "job.yaml"
MODULE = "hpc_dl.doctor.node"
_MOST = 2
"""Nodes, and GPUs a node, that are asked for: so many have all the parts that can go wrong."""
_QUERY_SECONDS = 2.0
_REPORT_SECONDS = 10.0
"""How long a network file system may take to show what nodes have written."""


def resources(cluster: Cluster, words: Sequence[str], default: str | None) -> list[str]:
    """Return the overrides of the job's spec: what the partition has, and then the user's `words`.

    `default` is the site's default partition. Raises UserError for words that are no resources.
    """
    if other := next((it for it in words if not it.startswith("resources.")), None):
        raise UserError(
            f"'{other}' is nothing that the doctor's job needs",
            hint="Only resources count, like resources.partition=gpu or resources.nodes=4.",
        )
    named = [it.partition("=")[2] for it in words if it.startswith("resources.partition=")]
    wanted = named[-1] if named else default
    for it in cluster.partitions:
        if it.name == wanted or (wanted is None and it.is_default):
            nodes = sum(each.count for each in it.nodes if not each.is_down) or 1
            found = {"nodes": min(_MOST, nodes), "gpus_per_node": min(_MOST, it.gpus)}
            return [*(f"resources.{key}={value}" for key, value in found.items()), *words]
    return list(words)


@contextmanager
def folder(run_root: Path) -> Iterator[RunDir]:
    """Make a folder for the job, which is no run, and is removed unless something is in doubt."""
    run_root.mkdir(parents=True, exist_ok=True)
    job = RunDir(Path(tempfile.mkdtemp(prefix=".doctor", dir=run_root)))
    try:
        yield job
    except BaseException:
        shutil.rmtree(job.path, ignore_errors=True)
        raise


def submit(job: RunDir, plan: Plan) -> Submission:
    """Submit the job. Raises UserError."""
    job.logs.mkdir()
    write_json(job.plan, plan.without_password().to_json())
    write_atomic(job.script, script.task_script(plan, [MODULE, plan.run_dir]))
    return with_intent(job, plan.backend, lambda intent: slurm.send(job, plan, intent))


def wait(job: RunDir, submission: Submission, show: Callable[[JobStatus], None]) -> JobStatus:
    """Wait for the job's end, and `show` how it is meanwhile; Ctrl-C cancels it."""
    scheduler = registry.get(submission.backend)
    try:
        while True:
            (status,) = scheduler.query([Job(job, submission)])
            if status.phase in ("ended", "lost"):
                return status
            show(status)
            time.sleep(_QUERY_SECONDS)
    except KeyboardInterrupt:
        scheduler.cancel(job, submission)
        raise


def collect(job: RunDir, plan: Plan) -> list[Report]:
    """Return the reports of the ranks, once the job has ended."""

    def complete() -> bool:
        found = report.load_all(job, plan.world_size)
        ended = [it for it in found if it.stage == DONE or it.error]
        return len(ended) == plan.world_size

    wait_until(complete, _REPORT_SECONDS)
    return report.load_all(job, plan.world_size)


def remove(job: RunDir) -> None:
    """Remove the folder of a job that is not in doubt."""
    shutil.rmtree(job.path, ignore_errors=True)
