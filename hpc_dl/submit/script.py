"""The text that sbatch gets: what is shown is what is submitted."""

from __future__ import annotations

import shlex
import sys
from collections.abc import Sequence
from pathlib import Path

from hpc_dl.plan import Plan

SUBMITIT = ("export SUBMITIT_EXECUTOR=slurm",)
"""What submitit's own script does before its tasks start."""


def render(plan: Plan, command: str, prelude: Sequence[str] = ()) -> str:
    """The batch script that runs `command`, a line of shell, once in every task.

    The lines of `prelude` run once, on the first node, after the site's own.
    """
    options = [_option(key, value) for key, value in plan.sbatch.items() if value is not False]
    return "\n".join(
        [
            "#!/bin/bash",
            *options,
            "",
            *plan.setup,
            *prelude,
            f"export OMP_NUM_THREADS={plan.cpus_per_task}",
            f"{_srun(plan)} {command} ||",
            f"  exec {shlex.quote(sys.executable)} -m hpc_dl.revive {shlex.quote(plan.run_dir)} $?",
            "",
        ]
    )


def preview(plan: Plan) -> str:
    """The script that `slurm.submit` will send, without importing submitit to make it."""
    command = f"{shlex.quote(sys.executable)} -u -m submitit.core._submit"
    return render(plan, f"{command} {shlex.quote(plan.run_dir + '/submitit')}", SUBMITIT)


def _option(key: str, value: str | int | bool) -> str:
    if value is True:
        return f"#SBATCH --{key}"
    return f"#SBATCH --{key}={shlex.quote(' '.join(str(value).split()))}"


def _srun(plan: Plan) -> str:
    """One process a task: a rank that fails ends the others, and one that is done does not."""
    log = Path(plan.run_dir.replace("%", "%%")) / "logs" / "%j-%t.log"
    return shlex.join(
        [
            "srun",
            "--kill-on-bad-exit=1",
            "--wait=0",
            f"--cpus-per-task={plan.cpus_per_task}",  # not inherited since Slurm 22.05
            "--unbuffered",
            "--open-mode=append",
            f"--output={log}",
        ]
    )
