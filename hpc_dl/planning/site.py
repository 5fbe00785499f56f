"""Sites: the partitions, accounts, defaults, scratch space and rules of a cluster."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Literal

from platformdirs import user_config_dir
from pydantic import Field

from hpc_dl.data.faults import resolve_home
from hpc_dl.errors import UserError
from hpc_dl.jobspec.base import Spec
from hpc_dl.jobspec.slurm import SbatchOptions
from hpc_dl.jobspec.spec_file import read, validate
from hpc_dl.jobspec.units import Memory, Time
from hpc_dl.planning.job_environment import SiteEnvironment
from hpc_dl.planning.wrapper import Wrapper

_VARIABLES = {
    "run_root": "HPCDL_RUN_ROOT",
    "data_root": "HPCDL_DATA",
    "tracking_uri": "MLFLOW_TRACKING_URI",
}
_MODES = {"owner": 0o700, "group": 0o750, "everyone": 0o755}
_VARIABLE = re.compile(r"\$(?:(\w+)|\{(\w+)(?::-([^${}]*))?\})")
SHIPPED = Path(__file__).parent.parent / "sites"
"""The project's own sites: `slurm/*.yaml` of a checkout, in the package when installed."""


class Partition(Spec):
    """Limits of a partition that a plan checks."""

    max_time: Time | None = None
    gpus_per_node: int | None = Field(None, description="0 where it has none; unset: not known")
    gpu_type: str | None = None
    cpus_per_node: int | None = None
    mem_per_node: Memory | None = None


class Site(Spec):
    """A cluster, or a laptop. Paths may hold `~` and `$VARIABLES`."""

    name: str
    description: str = ""
    partitions: dict[str, Partition] = {}
    default_partition: str | None = None
    account: str | None = None
    slurm: SbatchOptions = Field({}, description="sbatch options of every job")
    setup: list[str] = Field([], description="shell lines before the job, such as module load")
    environment: SiteEnvironment = Field({}, description="variables that every job gets")
    wrapper: Wrapper = Field(
        "",
        description="command in front of the worker of each task, such as "
        "apptainer exec --nv image.sif; not with --local",
    )
    network_interface: str | None = Field(
        None,
        pattern=r"^[A-Za-z0-9_.-]+(,[A-Za-z0-9_.-]+)*$",
        description="interface of the network between the nodes, such as ib0, for NCCL and gloo",
    )
    run_root: str = Field("${SCRATCH:-$HOME}/hpcdl", description="where run folders go")
    runs_readable_by: Literal["owner", "group", "everyone"] = Field(
        "owner", description="who may look into run folders"
    )
    data_root: str = Field("${HPCDL_DATA:-${SCRATCH:-$HOME}/hpcdl/data}", description="staged data")
    tracking_uri: str | None = Field(None, description="MLflow store; SQLite in run_root if unset")
    internet: bool = Field(False, description="whether compute nodes reach the internet")
    scheduler: str = Field(
        "slurm", description="who runs jobs: slurm, local, or one that an installed package adds"
    )
    requeue: bool = Field(True, description="whether jobs may be requeued")
    signal_seconds: int = Field(90, description="how long before the time limit to warn the job")

    @property
    def run_folder_mode(self) -> int:
        """Mode of a new run folder."""
        return _MODES[self.runs_readable_by]


def load(name: str | None, environment: Mapping[str, str]) -> Site:
    """Load the chosen site, with overrides of the user and the environment.

    `name`, or else `$HPCDL_SITE`, is a path or the name of a file in the user's config folder or
    of a shipped one; without either it is the user's own `site.yaml`, or the generic site.
    `$HPCDL_RUN_ROOT`, `$HPCDL_DATA` and `$MLFLOW_TRACKING_URI` win over any file.
    """
    path = find(name or environment.get("HPCDL_SITE"))
    site = validate(read(path, (), Site), Site)
    given = {
        key: value for key, variable in _VARIABLES.items() if (value := environment.get(variable))
    }
    return site.model_copy(update=given)


def find(name: str | None) -> Path:
    """Return the file of a site. Raises UserError if there is none of that name."""
    users_folder = users_file().parent
    if name is None:
        chosen = users_file()
        return chosen if chosen.is_file() else SHIPPED / "generic.yaml"
    given = resolve_home("--site", name)
    candidates = [given, users_folder / f"{name}.yaml", SHIPPED / f"{name}.yaml"]
    for path in candidates:
        if path.is_file():
            return path
    raise UserError(
        f"there is no site '{name}'",
        hint=f"There are: {', '.join(names())}. Your own go into {users_folder}.",
    )


def names() -> list[str]:
    """Return the names of the user's sites and of those that are shipped."""
    folders = users_file().parent, SHIPPED
    return sorted({path.stem for folder in folders for path in folder.glob("*.yaml")})


def users_file() -> Path:
    """Return where the user's own site lies, which need not be there."""
    return Path(user_config_dir("hpcdl")) / "site.yaml"


def expand(text: str, environment: Mapping[str, str]) -> Path:
    """Return an absolute path with `~`, `$NAME`, `${NAME}` and `${NAME:-otherwise}` filled in.

    Raises UserError for a variable that is not set and has no alternative.
    """

    def value(match: re.Match[str]) -> str:
        name, otherwise = match[1] or match[2], match[3]
        if found := environment.get(name):
            return found
        if otherwise is None:
            raise UserError(
                f"the site's path {text} needs ${name}, which is not set",
                hint=f"Set it, or write ${{{name}:-otherwise}} in the site's file.",
            )
        return otherwise

    former = ""
    while former != text:  # from the inside out, for an alternative may hold variables
        former, text = text, _VARIABLE.sub(value, text)
    return resolve_home("the site's path", text).absolute()
