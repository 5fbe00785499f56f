"""Batch script: what is shown is what is submitted."""

from __future__ import annotations

import re
import shlex
from collections.abc import Sequence
from pathlib import Path

from hpc_dl.installed import PYTHON
from hpc_dl.planning.plan import Options, Plan
from hpc_dl.scheduler import script_parts as parts
from hpc_dl.scheduler.slurm.sbatch_options import job_pattern, log_pattern

_TASK = '"${SLURM_ARRAY_JOB_ID}_$SLURM_ARRAY_TASK_ID"'


def job_script(plan: Plan, prepare: str = "") -> str:
    """Return the batch script. Its argument is the mark by which its job is recognised.

    `prepare` is a command that makes the run folder first, in a script that is submitted by hand.
    """
    options = {key: it for key, it in plan.sbatch.items() if key != "array"}
    if prepare:  # the run folder is not there yet when Slurm opens the job's own output file
        options.pop("output", None)
    return _script(
        plan,
        options,
        [
            *([f"{prepare} || exit $?"] if prepare else []),
            f'{_srun(plan, [*parts.WORKER, plan.run_dir])} "$1" ||',
            f"  {parts.on_failure(plan)}",
        ],
    )


def task_script(plan: Plan, words: Sequence[str]) -> str:
    """Return the batch script of a job that runs `python -m WORDS`, a module and its arguments, in
    each of its tasks, and is not started again."""
    return _script(plan, plan.sbatch, [f"exec {_srun(plan, [*PYTHON, '-u', '-m', *words])}"])


def driver_script(plan: Plan, words: Sequence[str]) -> str:
    """Return the batch script of a job that runs `python WORDS MARK` once, outside of its tasks.

    If that is killed by a signal, the job is requeued, where the site allows it.
    """
    command = shlex.join([*PYTHON, "-u", *words])
    return _script(
        plan,
        plan.sbatch,
        [
            f'{command} "$1"',
            "code=$?",
            f'[ "$code" -le 128 ] || [ "${{SLURM_RESTART_COUNT:-0}}" -ge {plan.requeues} ] ||',
            f"  scontrol requeue {_TASK}",
            "exit $code",
        ],
    )


def _script(plan: Plan, options: Options, lines: Sequence[str]) -> str:
    return "\n".join(
        [
            "#!/bin/bash",
            *(_option(key, value) for key, value in options.items() if value is not False),
            "",
            *parts.environment(plan),
            *lines,
            "",
        ]
    )


def _option(key: str, value: str | int | bool) -> str:
    return f"#SBATCH --{key}" if value is True else f"#SBATCH --{key}={_quoted(str(value))}"


def _quoted(value: str) -> str:
    """Quote a value as sbatch reads it from a script.

    Quotes are as the shell's, but a backslash escapes within either kind. A line that holds
    "hetjob" or its older name anywhere would begin another job.
    """
    if re.fullmatch(r"[\w@%+=:,./-]*", value, re.ASCII):
        quoted = value
    else:
        quoted = '"' + re.sub(r'(["\\])', r"\\\1", value) + '"'
    return re.sub(r"(het|pack)(?=job)", r"\1\\", quoted, flags=re.IGNORECASE)


def _logs(run_dir: Path, job: str) -> list[str]:
    """Return the option of the tasks' logs; `job` is the pattern of the job's id.

    srun of Slurm 26.05 reads even a doubled `%` as a pattern, so it gets no path with one.
    """
    if "%" in str(run_dir):
        return [f"--chdir={run_dir}", f"--output=logs/{job}-%t.log"]
    return [f"--output={log_pattern(run_dir, f'{job}-%t.log')}"]


def _srun(plan: Plan, task: Sequence[str]) -> str:
    """Return the srun command: a rank that fails ends the others, one that completes does not."""
    srun = shlex.join(
        [
            "srun",
            "--kill-on-bad-exit=1",
            "--wait=0",
            f"--cpus-per-task={plan.cpus_per_task}",  # not inherited since Slurm 22.05
            "--export=ALL",  # sbatch's --export does not hold for the script's own variables
            "--unbuffered",
            "--open-mode=append",
            *(["--overlap", "--cpu-bind=none"] if plan.shared_by > 1 else []),
            *_logs(plan.path, job_pattern(plan.sbatch)),
        ]
    )
    return f"{srun} {parts.wrapped(plan, task)}"
