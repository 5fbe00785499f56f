"""sbatch's input variables (SBATCH_PARTITION, ...), which ask something of every job of a user.

They win over the site's file and lose to the job spec. In a surrounding job they are that job's
own, and mean nothing for another.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

from hpc_dl.errors import UserError
from hpc_dl.jobspec import slurm, units
from hpc_dl.jobspec.slurm import RESOURCE_KEYS, key_of
from hpc_dl.planning.site import Site
from hpc_dl.scheduler.base import Resolved

if TYPE_CHECKING:
    from hpc_dl.jobspec.job import Resources

_SAME_NAME = (
    "account acctg-freq batch cluster-constraint clusters constraint container container-id "
    "core-spec cpus-per-gpu delay-boot distribution error exclusive export get-user-env gpu-bind "
    "gpu-freq gpus gpus-per-node gpus-per-socket gpus-per-task gres gres-flags hint ignore-pbs "
    "input job-name mem-bind mem-per-cpu mem-per-gpu network no-kill no-requeue open-mode output "
    "overcommit partition power profile qos requeue reservation signal spread-job thread-spec "
    "threads-per-core tres-bind tres-per-task use-min-nodes wait wait-all-nodes wckey"
)
_OPTIONS = {
    f"SBATCH_{option.upper().replace('-', '_')}": option for option in _SAME_NAME.split()
} | {
    "SBATCH_ARRAY_INX": "array",
    "SBATCH_BURST_BUFFER": "bb",
    "SBATCH_CPU_FREQ_REQ": "cpu-freq",
    "SBATCH_DEBUG": "verbose",
    "SBATCH_MEM_PER_NODE": "mem",
    "SBATCH_REQ_SWITCH": "switches",
    "SBATCH_SEGMENT_SIZE": "segment",
    "SBATCH_TIMELIMIT": "time",
    "SLURM_HINT": "hint",
}
"""The option that each variable stands for, by sbatch's manual and source (21.08 to 26.05)."""
_SWITCH_WAIT = "SBATCH_WAIT4SWITCH"
"""The second half of SBATCH_REQ_SWITCH's option."""


def resolve(resources: Resources, site: Site, environment: Mapping[str, str]) -> Resolved:
    """Fill in what the job spec leaves open. Raises UserError for a variable that cannot be."""
    keys: dict[str, object] = {}
    options: dict[str, str | int | bool] = {}
    origins: dict[str, str] = {}
    notes = _cluster(environment)
    for variable, option, value in _given(environment):
        if key := _overruled_by(option, resources):
            notes.append(f"{variable}={environment[variable]} is overruled by {key}")
            continue
        if option in RESOURCE_KEYS:
            keys[RESOURCE_KEYS[option]] = _own(variable, option, value)
        elif option in ("requeue", "no-requeue"):
            site = site.model_copy(update={"requeue": option == "requeue"})
        else:
            options[option] = _other(variable, option, value)
        origins[option] = variable
    merged = resources.model_copy(update={**keys, "slurm": {**resources.slurm, **options}})
    return Resolved(merged, site, origins, tuple(notes))


def _cluster(environment: Mapping[str, str]) -> list[str]:
    """Return a note on SLURM_CLUSTERS, which all of Slurm's commands obey."""
    name = environment.get("SLURM_CLUSTERS", "")
    if not name or "SLURM_JOB_ID" in environment:
        return []
    if name == "all" or "," in name:
        raise UserError(
            f"SLURM_CLUSTERS={name}: which of them has a job, hpcdl would not know",
            hint="Name one cluster, or unset it.",
        )
    return [f"cluster {name} (from SLURM_CLUSTERS)"]


def _given(environment: Mapping[str, str]) -> list[tuple[str, str, str | bool]]:
    """Return the variables, with the options that they stand for and their values."""
    if "SLURM_JOB_ID" in environment:
        return []
    found: list[tuple[str, str, str | bool]] = []
    for variable in sorted(environment):
        option, value = _OPTIONS.get(variable), environment[variable]
        if option is None:
            if variable.startswith("SBATCH_") and variable != _SWITCH_WAIT:
                raise UserError(
                    f"{variable}={value}: hpcdl does not know this variable of sbatch's",
                    hint="Unset it; its option can be given under resources.slurm.",
                )
            continue
        if option == "switches" and _SWITCH_WAIT in environment:
            value += f"@{environment[_SWITCH_WAIT]}"
        if (asked := _value(option, value)) is not None:
            found.append((variable, option, asked))
    return found


def _value(option: str, text: str) -> str | bool | None:
    """Return the value as sbatch reads it; None where it takes the variable for not set."""
    if option in slurm.FLAGS:
        number = text.removeprefix("+").removeprefix("-")
        return True if text.lower() in ("", "yes") or number.strip("0").isdecimal() else None
    if option in slurm.FLAGS_OR_VALUES:
        return text or True
    return text or None


def _overruled_by(option: str, resources: Resources) -> str:
    """Return the key of the job spec that overrules an option, or nothing."""
    written = {key for key in resources.model_fields_set if getattr(resources, key) is not None}
    if option == "job-name":
        return "name"
    if option in ("mem", *slurm.OTHER_MEMORY):
        rivals = [it for it in slurm.OTHER_MEMORY if it in resources.slurm]
        return "resources.mem" if resources.mem else key_of(rivals[0]) if rivals else ""
    if option in RESOURCE_KEYS:
        return key_of(option) if RESOURCE_KEYS[option] in written else ""
    return key_of(option) if option in resources.slurm else ""


def _own(variable: str, option: str, text: str | bool) -> object:
    """Return the value of a key of `resources`. Raises UserError."""
    checks: dict[str, Callable[[str], object]] = {
        "time": units.seconds,
        "mem": units.bytes_of,
        "gpus-per-node": int,
    }
    try:
        checked = checks.get(option, str)(str(text))
    except ValueError as error:
        raise UserError(
            f"{variable}={text}: {error}",
            hint=f"Unset it, or write {key_of(option)}, which wins over it.",
        ) from None
    return checked if option == "gpus-per-node" else text


def _other(variable: str, option: str, value: str | bool) -> str | bool:
    """Return the value of an option that hpcdl leaves to the user. Raises UserError."""
    try:
        slurm.check_name(option)
        slurm.check_value(option, value)
    except ValueError as error:
        raise UserError(f"{variable}: {error}", hint="Unset it.") from None
    return value
