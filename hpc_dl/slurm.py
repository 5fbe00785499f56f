"""Slurm's own commands, called with a time-out, for they can hang; and what their errors mean."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path

from hpc_dl.errors import EXIT_CLUSTER, EXIT_USAGE, UserError

_OUT_OF_REACH = re.compile(
    r"unable to contact|connect(ion)? (failure|refused|timed out)|socket timed out|munge"
    r"|authentication|configuration (file|source)|unable to establish config"
    r"|zero bytes were transmitted|communications? connection failure|invalid cluster",
    re.IGNORECASE,
)
PATIENCE = 60.0
"""Seconds for a command that changes something; a busy controller may take that long."""
CONFIG_SECONDS = 5.0
"""Seconds to find out whether there is a cluster at all."""
_USUAL_PLACES = tuple(
    Path(folder, "slurm.conf") for folder in ("/etc/slurm", "/etc/slurm-llnl", "/run/slurm/conf")
)
_NOT_FOR_SLURM = (
    "SBATCH_",
    "SQUEUE_",
    "SACCT_",
    "SCANCEL_",
    "SCONTROL_",
    "SLURM_EXIT_",
    "SLURM_HINT",
    "SLURM_JOB",
    "SLURM_TIME_FORMAT",
    "SLURM_RESTART",
    "SUBMITIT",
)
"""Formats and filters that people like to set, options that the script has, and what is true of the
calling job alone."""


class SlurmError(UserError):
    """Slurm does not answer (exit code 3), or refuses what it was asked (exit code 2)."""

    @property
    def unreachable(self) -> bool:
        return self.exit_code == EXIT_CLUSTER


def call(words: Sequence[str], seconds: float, *, stdin: str | None = None) -> str:
    """The output of a Slurm command, what it said on standard error after the rest.

    Times are printed as seconds since 1970. Raises SlurmError.
    """
    environment = {k: v for k, v in os.environ.items() if not k.startswith(_NOT_FOR_SLURM)}
    environment |= {"SLURM_TIME_FORMAT": "%s", "LC_ALL": "C"}
    try:
        done = subprocess.run(
            words,
            input=stdin or "",
            capture_output=True,
            text=True,
            check=False,
            timeout=seconds,
            env=environment,
            start_new_session=True,  # a signal for the caller's group is none of its business
        )
    except subprocess.TimeoutExpired:
        raise error_of(words[0], f"no answer within {seconds:g} s: connection timed out") from None
    except FileNotFoundError:
        raise SlurmError(
            f"there is no `{words[0]}` on this machine",
            hint="Submit from a login node of the cluster, or run here with --local.",
            exit_code=EXIT_CLUSTER,
        ) from None
    if done.returncode:
        raise error_of(words[0], done.stderr or done.stdout)
    return done.stdout + done.stderr


def error_of(command: str, said: str) -> SlurmError:
    """The error in Slurm's own words, without the prefixes that it repeats on every line."""
    lines = [re.sub(rf"^(slurm_\w+ error|{command}: (error|fatal)): ", "", line.strip())
             for line in said.splitlines()]  # fmt: skip
    words = "; ".join(line for line in lines if line) or "no word of explanation"
    if _OUT_OF_REACH.search(words):
        return SlurmError(
            f"the cluster cannot be reached: {words}",
            hint="Try again in a while; `sinfo` tells whether Slurm is back.",
            exit_code=EXIT_CLUSTER,
        )
    return SlurmError(f"Slurm refuses: {words}", exit_code=EXIT_USAGE)


def is_configured() -> bool:
    """Whether Slurm's commands are here, and know of a cluster.

    A laptop may have the commands alone. They find their configuration by SLURM_CONF, in the
    folder that they were built for, or (configless) through the DNS.
    """
    if shutil.which("sbatch") is None:
        return False
    if "SLURM_CONF" in os.environ or any(path.exists() for path in _USUAL_PLACES):
        return True
    try:
        call(["scontrol", "show", "config"], CONFIG_SECONDS)
    except SlurmError as error:
        return "configuration source" not in error.message
    return True
