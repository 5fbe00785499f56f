"""Submit a local job: it runs in a session of its own, and outlives the terminal and Ctrl-C.

`python -m hpc_dl.scheduler.local.submit RUN_DIR MARK` is the launcher: it has submitit start a
controller of the ranks, and exits; the controller stays behind in the launcher's session.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

from hpc_dl.errors import EXIT_FAILED, UserError
from hpc_dl.installed import PYTHON
from hpc_dl.planning.plan import Plan
from hpc_dl.run import records
from hpc_dl.run.layout import RunDir
from hpc_dl.run.process_identity import identity, user
from hpc_dl.run.submission import Submission
from hpc_dl.scheduler.local.task import LocalTask
from hpc_dl.submission import hpcdl_code

LAUNCH_SECONDS = 120
"""How long the launcher may take; importing submitit from a busy file system takes a while."""
SPIN = {"GOMP_SPINCOUNT": "10000"}
"""Threads that wait for each other give up the core after some microseconds. By default they hold
it for milliseconds, and beside other programs a step then takes a hundred times as long."""
NO_LIMIT = 60 * 24 * 3650
"""submitit wants a time limit: ten years, in minutes."""


def submit(run: RunDir, plan: Plan, intent: Submission) -> Submission:
    """Start the job and return once it is on its own. Raises UserError if it does not start."""
    log = run.logs / "launcher.log"
    with log.open("ab") as output:
        launcher = subprocess.Popen(
            [*PYTHON, "-m", "hpc_dl.scheduler.local.submit", str(run.path), intent.mark],
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            env=_environment(run, plan),
            start_new_session=True,
        )
    try:
        failed = _wait(launcher)
    except BaseException:  # Ctrl-C: nothing is left half started
        run.submission.unlink(missing_ok=True)
        raise
    if failed:
        last = (log.read_text(errors="replace").strip().splitlines() or [failed])[-1]
        raise UserError(
            f"the local job did not start: {last}", hint=f"See {log}.", exit_code=EXIT_FAILED
        )
    submission = Submission.load(run)
    assert submission is not None
    return submission


def _environment(run: RunDir, plan: Plan) -> dict[str, str]:
    """Return the job's variables, and those of submitit's own commands."""
    found = {**SPIN, **os.environ, **plan.environment}
    found |= {"OMP_NUM_THREADS": str(plan.cpus_per_task), "PYTHONSAFEPATH": "1"}
    return found | hpcdl_code.python_path(run.hpcdl, found)


def _wait(launcher: subprocess.Popen[bytes]) -> str:
    """Return what went wrong with the launcher, or nothing; it is killed if the wait ends early."""
    try:
        code = launcher.wait(LAUNCH_SECONDS)
    except subprocess.TimeoutExpired:
        os.killpg(launcher.pid, signal.SIGKILL)
        return f"nothing happened for {LAUNCH_SECONDS} s"
    except BaseException:
        os.killpg(launcher.pid, signal.SIGKILL)
        launcher.wait()
        raise
    return f"the launcher ended with code {code}" if code else ""


def launch(run: RunDir, plan: Plan, mark: str) -> None:
    """Start the ranks, and record the job of their controller."""
    from submitit.helpers import clean_env
    from submitit.local.local import LocalExecutor

    # Started from a shell's background, a process ignores SIGINT, and so would its children;
    # but that is how submitit's controller is asked to end its ranks.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    with clean_env():
        executor = LocalExecutor(run.path / "submitit")
        executor.update_parameters(
            tasks_per_node=plan.tasks_per_node,
            timeout_min=NO_LIMIT,
            stderr_to_stdout=True,
            gpus_per_node=plan.gpus_per_node,
        )
        visible = os.environ.get("CUDA_VISIBLE_DEVICES") if plan.gpus_per_node else None
        job = executor.submit(LocalTask(str(run.path), mark, visible))
    for rank in range(plan.tasks_per_node):
        link = run.logs / f"{job.job_id}-{rank}.log"
        link.unlink(missing_ok=True)
        link.symlink_to(Path("..", "submitit", f"{job.job_id}_{rank}_log.out"))
    submission_of(job.job_id, mark).save(run)


def submission_of(job_id: str, mark: str = "") -> Submission:
    """Return the record of the job whose process group this process belongs to."""
    host, group = os.uname().nodename, os.getpgrp()
    return Submission(
        "local", job_id, host, time.time(), group, mark, user=user(), machine=identity()
    )


if __name__ == "__main__":
    folder = RunDir(Path(sys.argv[1]))
    try:
        launch(folder, records.load(folder.plan, Plan), sys.argv[2])
    except UserError as error:
        sys.exit(error.message)  # the last line of the log is the user's error message
