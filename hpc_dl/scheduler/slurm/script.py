"""The text that sbatch gets: what is shown is what is submitted."""

from __future__ import annotations

import re
import shlex
from collections.abc import Sequence
from pathlib import Path

from hpc_dl.installed import PYTHON
from hpc_dl.planning import job_environment
from hpc_dl.planning.plan import Plan
from hpc_dl.run.layout import RunDir
from hpc_dl.scheduler.slurm.sbatch_options import log_pattern

_ON_FAILURE = "hpc_dl.scheduler.slurm.requeue_on_failure"


def render(plan: Plan, command: str, prelude: Sequence[str] = ()) -> str:
    """The batch script that runs `command`, a line of shell, once in every task.

    The lines of `prelude` run once, on the first node, after the site's own.
    """
    return "\n".join(
        [
            "#!/bin/bash",
            *(_option(key, value) for key, value in plan.sbatch.items() if value is not False),
            "",
            *_environment(plan),
            *plan.setup,
            *prelude,
            f"export OMP_NUM_THREADS={plan.cpus_per_task}",
            f"{_srun(plan)} {command} ||",
            f"  exec {shlex.join(PYTHON)} -m {_ON_FAILURE} {shlex.quote(plan.run_dir)} $?",
            "",
        ]
    )


def preview(plan: Plan) -> str:
    """The script that is submitted. Its argument is the mark by which its job is recognised."""
    command = [*PYTHON, "-u", "-m", "hpc_dl.worker", plan.run_dir]
    return render(plan, f'{shlex.join(command)} "$1"')


def _option(key: str, value: str | int | bool) -> str:
    return f"#SBATCH --{key}" if value is True else f"#SBATCH --{key}={_quoted(str(value))}"


def _quoted(value: str) -> str:
    """A value as sbatch reads it from a script.

    Quotes are as the shell's, but a backslash escapes within either kind. A line that holds
    "hetjob" or its older name anywhere would begin another job.
    """
    if re.fullmatch(r"[\w@%+=:,./-]*", value, re.ASCII):
        quoted = value
    else:
        quoted = '"' + re.sub(r'(["\\])', r"\\\1", value) + '"'
    return re.sub(r"(het|pack)(?=job)", r"\1\\", quoted, flags=re.IGNORECASE)


def _environment(plan: Plan) -> list[str]:
    """The variables of the submission, before the site's own lines, which may change them."""
    lines = job_environment.exports(plan.environment)
    if plan.secrets:
        file = shlex.quote(str(RunDir(plan.path).secrets))
        lines.append(f"[ ! -r {file} ] || . {file}")
    return lines


def _logs(run_dir: Path) -> list[str]:
    """Where the tasks print; a `%` in the path is kept from srun, which in Slurm 26.05 reads even a
    doubled one as a pattern."""
    if "%" in str(run_dir):
        return [f"--chdir={run_dir}", "--output=logs/%j-%t.log"]
    return [f"--output={log_pattern(run_dir, '%j-%t.log')}"]


def _srun(plan: Plan) -> str:
    """One process a task: a rank that fails ends the others, and one that is done does not."""
    return shlex.join(
        [
            "srun",
            "--kill-on-bad-exit=1",
            "--wait=0",
            f"--cpus-per-task={plan.cpus_per_task}",  # not inherited since Slurm 22.05
            "--export=ALL",  # what sbatch was told to export is no rule for the script's own
            "--unbuffered",
            "--open-mode=append",
            *_logs(plan.path),
        ]
    )
