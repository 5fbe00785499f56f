"""Client of Slurm's commands: each has a time-out, for they can hang, and errors are told apart."""

from __future__ import annotations

import contextlib
import os
import re
import shutil
import signal
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from hpc_dl.errors import EXIT_CLUSTER, EXIT_USAGE
from hpc_dl.scheduler.base import SchedulerError

_OUT_OF_REACH = re.compile(
    r"unable to contact|connect(ion)? (failure|refused|timed out)|socket timed out|munge"
    r"|authentication|configuration (file|source)|unable to establish config"
    r"|zero bytes were transmitted|communications? connection failure|invalid cluster",
    re.IGNORECASE,
)
_LOST = re.compile(
    r"timed out|zero bytes|(send|receive|shutdown) failure|connection reset|broken pipe"
    r"|unexpected message|communications? (connection failure|shutdown)|was killed",
    re.IGNORECASE,
)
"""Errors after which Slurm may have done what it was asked."""
COMMAND_SECONDS = 60.0
"""Seconds for a command that changes something; a busy controller may take that long."""
CONFIG_SECONDS = 5.0
"""Seconds to find out whether there is a cluster at all."""
_USUAL_PLACES = tuple(
    Path(folder, "slurm.conf") for folder in ("/etc/slurm", "/etc/slurm-llnl", "/run/slurm/conf")
)
_NOT_FOR_QUERIES = ("SQUEUE_", "SACCT_", "SACCTMGR_", "SCANCEL_", "SCONTROL_", "SINFO_")
"""Formats and filters that people like to set."""
_OF_A_JOB = ("SLURM_", "SLURMD_", "SRUN_", "SBATCH_", "SUBMITIT_")
"""Variables of a surrounding job, and options that the script has."""
_OF_RANKS = frozenset(
    {"MASTER_ADDR", "MASTER_PORT", "RANK", "WORLD_SIZE", "LOCAL_RANK", "LOCAL_WORLD_SIZE"}
)
_OF_THE_CLUSTER = frozenset({"SLURM_CONF", "SLURM_CONF_SERVER", "SLURM_CLUSTERS"})


class SlurmError(SchedulerError):
    """Slurm does not answer (exit code 3), or refuses what it was asked (exit code 2)."""


class Answer(NamedTuple):
    """Output of a command."""

    output: str
    errors: str


def call(command: Sequence[str], seconds: float, *, stdin: str | None = None) -> str:
    """Return the standard output of a query; times are in seconds since 1970.

    Raises SlurmError.
    """
    return ask(command, seconds, stdin=stdin).output


def ask(command: Sequence[str], seconds: float, *, stdin: str | None = None) -> Answer:
    """Return the standard output and error of a query. Raises SlurmError."""
    environment = {k: v for k, v in _without_job().items() if not k.startswith(_NOT_FOR_QUERIES)}
    return _run(command, seconds, environment | {"SLURM_TIME_FORMAT": "%s", "LC_ALL": "C"}, stdin)


def sbatch(script: Path, options: Sequence[str], arguments: Sequence[str] = ()) -> Answer:
    """Submit a script. The job gets this environment, without what a surrounding job has left.

    Raises SlurmError.
    """
    command = ["sbatch", "--parsable", *options, str(script), *arguments]
    return _run(command, COMMAND_SECONDS, _without_job(), None)


class JobId(NamedTuple):
    """A job's number, and the cluster that it is on where sbatch says so."""

    number: str
    cluster: str = ""


def read_job_id(output: str) -> JobId | None:
    """Return the job in sbatch's answer, between other programs' lines; None if unclear."""
    parsable = re.findall(r"^\s*(\d+)(?:;([\w.-]+))?\s*$", output, re.MULTILINE)
    spoken = re.findall(r"Submitted batch job (\d+)(?: on cluster ([\w.-]+))?", output)
    found = {JobId(*pair) for pair in spoken or parsable}
    return found.pop() if len(found) == 1 else None


def cluster_name() -> str:
    """Return the cluster whose commands these are; empty where that cannot be found out."""
    if name := os.environ.get("SLURM_CLUSTER_NAME"):
        return name
    with contextlib.suppress(SlurmError):
        answer = call(["scontrol", "show", "config"], CONFIG_SECONDS)
        if match := re.search(r"^ClusterName\s*=\s*(\S+)", answer, re.MULTILINE):
            return match[1]
    return ""


def _without_job() -> dict[str, str]:
    """Return the environment without the variables of a surrounding job."""
    return {
        key: value
        for key, value in os.environ.items()
        if key in _OF_THE_CLUSTER or not (key.startswith(_OF_A_JOB) or key in _OF_RANKS)
    }


def _run(
    command: Sequence[str], seconds: float, environment: Mapping[str, str], stdin: str | None
) -> Answer:
    try:
        process = subprocess.Popen(
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            errors="replace",
            env=environment,
            start_new_session=True,  # a signal for the caller's group is none of its business
        )
    except OSError as error:
        raise _not_started(command[0], error) from None
    try:
        output, errors = process.communicate(stdin or "", timeout=seconds)
    except BaseException as error:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)  # with what a site's wrapper has started
        process.wait()
        if isinstance(error, subprocess.TimeoutExpired):
            message = f"no answer within {seconds:g} s: connection timed out"
            raise error_of(command[0], message) from None
        raise
    if process.returncode < 0:
        errors += f"\n{command[0]} was killed by signal {-process.returncode}"
    if process.returncode:
        raise error_of(command[0], errors.strip() or output)
    return Answer(output, errors)


def _not_started(command: str, error: OSError) -> SlurmError:
    there_is = "there is no" if isinstance(error, FileNotFoundError) else f"{error.strerror}:"
    return SlurmError(
        f"{there_is} `{command}` on this machine",
        hint="Submit from a login node of the cluster, or run here with --local.",
        exit_code=EXIT_CLUSTER,
    )


def error_of(command: str, message: str) -> SlurmError:
    """Return the error with Slurm's message, without the prefix of every line."""
    lines = [re.sub(rf"^(slurm_\w+ error|{command}: (error|fatal)): ", "", line.strip())
             for line in message.splitlines()]  # fmt: skip
    text = "; ".join(line for line in lines if line) or "no error message"
    if _OUT_OF_REACH.search(text) or _LOST.search(text):
        error = SlurmError(
            f"the cluster cannot be reached: {text}",
            hint="Try again in a while; `sinfo` tells whether Slurm is back.",
            exit_code=EXIT_CLUSTER,
        )
        error.answer_lost = _LOST.search(text) is not None
        return error
    return SlurmError(f"Slurm refuses: {text}", exit_code=EXIT_USAGE)


def is_configured() -> bool:
    """Return whether Slurm's commands are here, and know of a cluster.

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
