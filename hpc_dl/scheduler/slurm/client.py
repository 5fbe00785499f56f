"""Slurm's own commands, called with a time-out, for they can hang; and what their errors mean."""

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
_NOT_FOR_QUERIES = ("SQUEUE_", "SACCT_", "SCANCEL_", "SCONTROL_")
"""Formats and filters that people like to set."""
_OF_A_JOB = ("SLURM_", "SLURMD_", "SRUN_", "SBATCH_", "SUBMITIT_")
"""What is true of a surrounding job alone, and options that the script has."""
_OF_RANKS = frozenset(
    {"MASTER_ADDR", "MASTER_PORT", "RANK", "WORLD_SIZE", "LOCAL_RANK", "LOCAL_WORLD_SIZE"}
)
_OF_THE_CLUSTER = frozenset({"SLURM_CONF", "SLURM_CONF_SERVER", "SLURM_CLUSTERS"})


class SlurmError(SchedulerError):
    """Slurm does not answer (exit code 3), or refuses what it was asked (exit code 2)."""


class Answer(NamedTuple):
    """What a command printed."""

    output: str
    errors: str


def call(words: Sequence[str], seconds: float, *, stdin: str | None = None) -> str:
    """The standard output of a Slurm command that asks; times are in seconds since 1970.

    Raises SlurmError.
    """
    return ask(words, seconds, stdin=stdin).output


def ask(words: Sequence[str], seconds: float, *, stdin: str | None = None) -> Answer:
    """The same, with what it said on standard error. Raises SlurmError."""
    environment = {k: v for k, v in _without_job().items() if not k.startswith(_NOT_FOR_QUERIES)}
    return _run(words, seconds, environment | {"SLURM_TIME_FORMAT": "%s", "LC_ALL": "C"}, stdin)


def sbatch(script: Path, options: Sequence[str], arguments: Sequence[str] = ()) -> Answer:
    """Submit a script. The job gets this environment, without what a surrounding job has left.

    Raises SlurmError.
    """
    words = ["sbatch", "--parsable", *options, str(script), *arguments]
    return _run(words, COMMAND_SECONDS, _without_job(), None)


class JobId(NamedTuple):
    """A job's number, and the cluster that it is on where sbatch says so."""

    number: str
    cluster: str = ""


def read_job_id(output: str) -> JobId | None:
    """The job in sbatch's answer, between the lines of plug-ins and wrappers; None if unclear."""
    parsable = re.findall(r"^\s*(\d+)(?:;([\w.-]+))?\s*$", output, re.MULTILINE)
    spoken = re.findall(r"Submitted batch job (\d+)(?: on cluster ([\w.-]+))?", output)
    found = {JobId(*pair) for pair in spoken or parsable}
    return found.pop() if len(found) == 1 else None


def cluster_name() -> str:
    """The cluster whose commands these are; nothing where that cannot be found out."""
    if name := os.environ.get("SLURM_CLUSTER_NAME"):
        return name
    with contextlib.suppress(SlurmError):
        answer = call(["scontrol", "show", "config"], CONFIG_SECONDS)
        if match := re.search(r"^ClusterName\s*=\s*(\S+)", answer, re.MULTILINE):
            return match[1]
    return ""


def _without_job() -> dict[str, str]:
    """The environment without what a surrounding job has left in it; which cluster it is, stays."""
    return {
        key: value
        for key, value in os.environ.items()
        if key in _OF_THE_CLUSTER or not (key.startswith(_OF_A_JOB) or key in _OF_RANKS)
    }


def _run(
    words: Sequence[str], seconds: float, environment: Mapping[str, str], stdin: str | None
) -> Answer:
    try:
        process = subprocess.Popen(
            words,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            errors="replace",
            env=environment,
            start_new_session=True,  # a signal for the caller's group is none of its business
        )
    except OSError as error:
        raise _not_started(words[0], error) from None
    try:
        output, errors = process.communicate(stdin or "", timeout=seconds)
    except BaseException as error:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)  # with what a site's wrapper has started
        process.wait()
        if isinstance(error, subprocess.TimeoutExpired):
            said = f"no answer within {seconds:g} s: connection timed out"
            raise error_of(words[0], said) from None
        raise
    if process.returncode < 0:
        errors += f"\n{words[0]} was killed by signal {-process.returncode}"
    if process.returncode:
        raise error_of(words[0], errors.strip() or output)
    return Answer(output, errors)


def _not_started(command: str, error: OSError) -> SlurmError:
    there_is = "there is no" if isinstance(error, FileNotFoundError) else f"{error.strerror}:"
    return SlurmError(
        f"{there_is} `{command}` on this machine",
        hint="Submit from a login node of the cluster, or run here with --local.",
        exit_code=EXIT_CLUSTER,
    )


def error_of(command: str, said: str) -> SlurmError:
    """The error in Slurm's own words, without the prefixes that it repeats on every line."""
    lines = [re.sub(rf"^(slurm_\w+ error|{command}: (error|fatal)): ", "", line.strip())
             for line in said.splitlines()]  # fmt: skip
    words = "; ".join(line for line in lines if line) or "no word of explanation"
    if _OUT_OF_REACH.search(words) or _LOST.search(words):
        error = SlurmError(
            f"the cluster cannot be reached: {words}",
            hint="Try again in a while; `sinfo` tells whether Slurm is back.",
            exit_code=EXIT_CLUSTER,
        )
        error.answer_lost = _LOST.search(words) is not None
        return error
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
