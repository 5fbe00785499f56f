"""Environment variables of a job: the submission's, whatever sbatch exports, and the site's."""

from __future__ import annotations

import re
import shlex
from collections.abc import Mapping
from typing import Annotated

from pydantic import AfterValidator

from hpc_dl.jobspec.credentials import hidden

_NAMES = (
    "PATH",
    "PYTHONPATH",
    "LD_LIBRARY_PATH",
    "REQUESTS_CA_BUNDLE",
    "CURL_CA_BUNDLE",
    "SSL_CERT_FILE",
    "SSL_CERT_DIR",
    "GOOGLE_APPLICATION_CREDENTIALS",
)
_BEGINNINGS = ("HPCDL_", "MLFLOW_", "ACCELERATE_", "AWS_", "AZURE_STORAGE_", "MALLOC_")
_PROXIES = ("HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY", "ALL_PROXY")
_SECRET = re.compile(r"PASSWORD|TOKEN(?!IZERS)|SECRET|_KEY|CONNECTION_STRING")
_WORD = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_INSTEAD = {
    "PATH": "a line under `setup`, such as export PATH=/opt/bin:$PATH",
    "OMP_NUM_THREADS": "`cpus_per_task` in the job spec",
    "HPCDL_RUN_ROOT": "`run_root` in the site's file",
    "HPCDL_DATA": "`data_root` in the site's file",
    "MLFLOW_TRACKING_URI": "`tracking_uri` in the site's file",
}
"""Variables that would have no effect, or break the job, and what has."""


ALLOCATOR = {
    "MALLOC_MMAP_THRESHOLD_": str(2**30),
    "MALLOC_TOP_PAD_": str(2**26),
    "MALLOC_TRIM_THRESHOLD_": str(2**34),
}
"""Bytes from which the C library (glibc) gives memory that was freed back to the system. A training
step asks for the same again, and by default the system has each page of it made anew."""
_OF_ALLOCATOR = ("MALLOC_", "GLIBC_TUNABLES", "LD_PRELOAD")


def allocator(gpus: int, environment: Mapping[str, str]) -> dict[str, str]:
    """Return the variables of a job without GPUs for the C library's allocator; none where the
    submission's environment has settings for it, or another one."""
    is_set = any(name.startswith(_OF_ALLOCATOR) for name in environment)
    return {} if gpus or is_set else dict(ALLOCATOR)


def needed(environment: Mapping[str, str]) -> dict[str, str]:
    """Return the submission's variables that a job needs and everybody may read."""
    return {k: v for k, v in _wanted(environment).items() if not _is_secret(k, v)}


def secrets(environment: Mapping[str, str]) -> dict[str, str]:
    """Return those that hold a password or a key."""
    return {k: v for k, v in _wanted(environment).items() if _is_secret(k, v)}


def exports(variables: Mapping[str, str]) -> list[str]:
    """Return the lines of shell that set variables; a PATH that has Slurm stays as it is."""
    lines = []
    for name, value in sorted(variables.items()):
        if name == "PATH":
            lines.append(f"command -v srun >/dev/null || PATH=$PATH:{shlex.quote(value)}")
            lines.append("export PATH")
        else:
            lines.append(f"export {name}={shlex.quote(value)}")
    return lines


def _check_name(name: str) -> str:
    if not _WORD.fullmatch(name):
        raise ValueError("is no name of a variable: letters, digits and '_'")
    if instead := _INSTEAD.get(name):
        raise ValueError(f"is not set by the site: write {instead}")
    if _SECRET.search(name.upper()):
        raise ValueError(
            "holds a password or a key by its name, which others could read here: export it in "
            "the shell that submits"
        )
    return name


def _check_value(value: str) -> str:
    if re.search(r"\$\{?\w", value):
        raise ValueError("is taken as it is: for other variables in it, write a line of `setup`")
    if "\0" in value or hidden(value) != value:
        raise ValueError("holds a password, or what no variable can hold")
    return value


SiteEnvironment = dict[
    Annotated[str, AfterValidator(_check_name)], Annotated[str, AfterValidator(_check_value)]
]
"""Variables that a site sets in each of its jobs; none is a secret."""


def _wanted(environment: Mapping[str, str]) -> dict[str, str]:
    return {
        name: value
        for name, value in sorted(environment.items())
        if (name in _NAMES or name.startswith(_BEGINNINGS) or name.upper() in _PROXIES)
        and name != "MLFLOW_TRACKING_URI"  # the plan has it, without its password
        and _WORD.fullmatch(name)
    }


def _is_secret(name: str, value: str) -> bool:
    return bool(_SECRET.search(name.upper())) or hidden(value) != value
