"""The sbatch options of a job, by their names."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from hpc_dl.errors import UserError
from hpc_dl.jobspec import units
from hpc_dl.jobspec.slurm import OTHER_MEMORY
from hpc_dl.planning.compatibility import SpecConflict
from hpc_dl.planning.plan import Options
from hpc_dl.planning.site import Site

if TYPE_CHECKING:
    from hpc_dl.jobspec.job import JobSpec, Resources


def build(spec: JobSpec, site: Site, run_dir: Path) -> Options:
    """Return the options: from the keys of the spec, and those under `slurm` in spec and site."""
    asked = spec.resources
    partition = asked.partition or site.default_partition
    notice = min(site.signal_seconds, units.seconds(asked.time) // 10)
    options: dict[str, str | int | bool | None] = {
        "job-name": spec.name,
        "nodes": asked.nodes,
        "ntasks-per-node": asked.gpus_per_node or asked.tasks_per_node or 1,
        "gpus-per-node": _gpus(asked.gpus_per_node, site, partition),
        "cpus-per-task": asked.cpus_per_task,
        "mem": asked.mem,
        "time": asked.time,
        "partition": partition,
        "account": asked.account or site.account,
        "signal": f"USR2@{notice}",
        "requeue" if site.requeue and asked.max_requeues else "no-requeue": True,
        "open-mode": "append",
        "output": log_pattern(run_dir, "%j-batch.log"),
        **_of_site(spec, site),
        **_mail(spec),
        **asked.slurm,
    }
    return {key: value for key, value in options.items() if value is not None}


def start_after(resources: Resources, job_ids: Sequence[str]) -> Resources:
    """Add a dependency on the success of jobs to that which is asked for; both have to hold.

    A requeued job has not ended, and keeps its id. A job whose dependency can no longer be
    satisfied is cancelled, rather than left in the queue for ever.
    """
    asked = resources.slurm.get("dependency")
    if asked and "?" in str(asked):
        raise UserError(
            "resources.slurm.dependency is satisfied by any of its jobs (`?`), and cannot be "
            "joined with `after`",
            hint="Write all of it as resources.slurm.dependency.",
        )
    dependency = ",".join([*([str(asked)] if asked else []), f"afterok:{':'.join(job_ids)}"])
    options = {"dependency": dependency, "kill-on-invalid-dep": "yes"}
    return resources.model_copy(update={"slurm": {**resources.slurm, **options}})


def log_pattern(run_dir: Path, name: str) -> str:
    """Return a log file of a run for --output; `name` may hold Slurm's patterns.

    Raises UserError for a folder whose name Slurm cannot take.
    """
    for character, why in {"\\": "switches its patterns off", "\n": "ends its line"}.items():
        if character in str(run_dir):
            raise UserError(
                f"Slurm cannot write logs into {str(run_dir)!r}: the character {character!r} {why}",
                hint="Take another run_root: HPCDL_RUN_ROOT, or in the site's file.",
            )
    return f"{str(run_dir).replace('%', '%%')}/logs/{name}"


def job_pattern(options: Mapping[str, str | int | bool]) -> str:
    """Return Slurm's pattern of a job's id: a task of an array goes by the array's."""
    return "%A_%a" if "array" in options else "%j"


def exports_less(options: Mapping[str, str | int | bool]) -> bool:
    """Return whether a job gets less than the environment of its submission."""
    export = str(options.get("export", "ALL")).partition(",")[0]
    return export != "ALL" or "export-file" in options


def _gpus(count: int, site: Site, partition: str | None) -> str | int | None:
    """Return the GPUs as sbatch takes them: of the partition's type, where it has one."""
    offer = site.partitions.get(partition or "")
    return f"{offer.gpu_type}:{count}" if count and offer and offer.gpu_type else count or None


_MAIL_TYPES = {"end": ("END",), "failure": ("FAIL", "INVALID_DEPEND"), "no_progress": ()}


def _mail(spec: JobSpec) -> Options:
    """Return the options of `notify.mail`; that a run hangs, Slurm does not know.

    Raises SpecConflict where it has nothing to tell, or other options say the same.
    """
    asked = spec.notify
    if asked.mail is None:
        return {}
    if any(option in spec.resources.slurm for option in ("mail-user", "mail-type")):
        raise SpecConflict("notify.mail", "resources.slurm has options of mail, too; give one")
    types = [name for event in dict.fromkeys(asked.on) for name in _MAIL_TYPES[event]]
    if not types:
        what = "of a run without progress Slurm sends no mail"
        raise SpecConflict("notify.mail", what, "Use notify.webhook, or add to notify.on.")
    return {"mail-user": asked.mail, "mail-type": ",".join(types)}


def _of_site(spec: JobSpec, site: Site) -> Options:
    """Return the site's options, without those of memory where the spec asks for memory."""
    asked = spec.resources
    if asked.mem or any(option in asked.slurm for option in OTHER_MEMORY):
        return {key: value for key, value in site.slurm.items() if key not in OTHER_MEMORY}
    return dict(site.slurm)
