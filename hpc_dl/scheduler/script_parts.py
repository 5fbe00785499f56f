"""The parts of a job script that do not depend on the scheduler."""

from __future__ import annotations

import shlex
from collections.abc import Sequence

from hpc_dl.installed import PYTHON
from hpc_dl.planning import job_environment
from hpc_dl.planning.plan import Plan
from hpc_dl.run.layout import RunDir

WORKER = (*PYTHON, "-u", "-m", "hpc_dl.worker")
"""The command of every task, before the run folder and the submission's mark."""
_IGNORING = """sh -c 'trap "" USR2 TERM; exec "$@"' sh"""


def environment(plan: Plan) -> list[str]:
    """Return the lines that come first: the submission's variables, the site's own lines, and
    where hpcdl is imported from."""
    lines = job_environment.exports(plan.environment)
    if plan.secrets:
        file = shlex.quote(str(RunDir(plan.path).secrets))
        lines.append(f"[ ! -r {file} ] || . {file}")
    code = shlex.quote(str(RunDir(plan.path).hpcdl))
    return [
        *lines,
        *plan.setup,
        f"export PYTHONPATH={code}${{PYTHONPATH:+:$PYTHONPATH}}",
        f"export OMP_NUM_THREADS={plan.cpus_per_task}",
    ]


def wrapped(plan: Plan, task: Sequence[str]) -> str:
    """Return the shell words of a task's command, behind the site's wrapper.

    Slurm signals the wrapper as well as the worker. A shell script would die of it, and srun would
    end the worker before it has saved: so the wrapper inherits that these signals are ignored. The
    worker sets its own handlers.
    """
    command = shlex.join(task)
    return f"{_IGNORING} {plan.wrapper} {command}" if plan.wrapper else command


def on_failure(plan: Plan) -> str:
    """Return the command that follows a failure of the tasks, with their exit code in `$?`.

    It has the job requeued where that may help, and exits with the code of the rank that failed.
    """
    command = [*PYTHON, "-m", "hpc_dl.scheduler.after_failure", plan.run_dir]
    return f"exec {shlex.join(command)} $?"
