"""The text that sbatch gets: what is shown is what is submitted."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from pathlib import Path

from hpc_dl.plan import Plan


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
            f"{_srun(plan)} {command}",
            "",
        ]
    )


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
