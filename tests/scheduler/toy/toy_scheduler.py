"""A scheduler of a laboratory's own: one folder a job in $TOY_QUEUE, one process that runs it.

`python -m toy_scheduler JOB_FOLDER` runs a job's script, and again where it was requeued meanwhile.
"""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from hpc_dl.errors import UserError
from hpc_dl.run.rank_info import RankInfo
from hpc_dl.scheduler import script_parts
from hpc_dl.scheduler.base import Job, JobStatus, Scheduler, Unconfirmed

HOLDS_JOBS, LOSES_ANSWERS = "TOY_HOLDS_JOBS", "TOY_LOSES_ANSWERS"
"""Variables by which a test has jobs wait, and answers not arrive."""


def queue() -> Path:
    return Path(os.environ["TOY_QUEUE"])


class Toy(Scheduler):
    name = "toy"

    def is_available(self) -> bool:
        return "TOY_QUEUE" in os.environ

    def rank_info(self, environment: Mapping[str, str]) -> RankInfo | None:
        if "TOY_JOB" not in environment:
            return None
        job, restarts = environment["TOY_JOB"], int(environment["TOY_RESTARTS"])
        return RankInfo(0, 1, 0, 1, f"{job}.{restarts}", job, restarts, self.name)

    def options(self, spec, site, run_dir):
        return {"name": spec.name, "walltime": spec.resources.time}

    def script(self, plan, prepare=""):
        worker = " ".join([*script_parts.WORKER, plan.run_dir])
        log = f"{plan.run_dir}/logs/$TOY_JOB-0.log"
        lines = [*script_parts.environment(plan), *([prepare] if prepare else [])]
        ranks = [
            f'{worker} "$1" >>{log} 2>&1 &',
            "echo $! >worker",
            "wait $! ||",
            script_parts.on_failure(plan),
        ]
        return "\n".join(["#!/bin/bash", *lines, *ranks, ""])

    def submit(self, run, plan, intent):
        if plan.sbatch["walltime"] == "00:13:00":
            raise UserError("13 minutes bring bad luck")
        job = queue() / str(len(list(queue().iterdir())) + 1)
        job.mkdir()
        (job / "script").write_text(self.script(plan))
        (job / "mark").write_text(intent.mark)
        if HOLDS_JOBS not in os.environ:
            subprocess.Popen(
                [sys.executable, "-m", "toy_scheduler", str(job)],
                start_new_session=True,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
            )
        if LOSES_ANSWERS in os.environ:
            raise Unconfirmed(run, "there was no answer")
        return intent.became(job.name)

    def query(self, jobs: Sequence[Job]) -> list[JobStatus]:
        by_mark = {(job / "mark").read_text(): job for job in queue().iterdir()}
        return [self._status(by_mark.get(job.submission.mark), job) for job in jobs]

    def _status(self, found: Path | None, job: Job) -> JobStatus:
        if found is None:
            return JobStatus("lost" if job.submission.job_id else "unconfirmed")
        job_id = "" if job.submission.job_id else found.name
        if (found / "ended").exists():
            code = json.loads((found / "ended").read_text())
            reason = f"ended with exit code {code}"
            return JobStatus("ended", reason, "failed", job_id=job_id, has_cause=code > 1)
        phase = "running" if (found / "worker").exists() else "queued"
        return JobStatus(phase, where="toy-node", job_id=job_id)

    def cancel(self, run, submission):
        job = queue() / submission.job_id
        if (job / "worker").exists():
            os.kill(int((job / "worker").read_text()), signal.SIGTERM)
        else:
            (job / "ended").write_text("0")

    def requeue(self, run, plan, rank_info):
        (queue() / rank_info.job_id / "requeued").touch()


def run_job(job: Path) -> None:
    """Run a job's script until it is not requeued any more."""
    restarts = 0
    while True:
        script = ["bash", "script", (job / "mark").read_text()]
        variables = {"TOY_JOB": job.name, "TOY_RESTARTS": str(restarts)}
        code = subprocess.run(script, cwd=job, env=os.environ | variables, check=False).returncode
        (job / "worker").unlink(missing_ok=True)
        if not (job / "requeued").exists():
            break
        (job / "requeued").unlink()
        restarts += 1
    (job / "ended").write_text(str(code))


if __name__ == "__main__":
    run_job(Path(sys.argv[1]))
