"""Plan a job for a scheduler: the pure plan, with the scheduler's options."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType

from hpc_dl.errors import UserError
from hpc_dl.jobspec.facts import DataFacts
from hpc_dl.jobspec.job import JobSpec
from hpc_dl.planning import job_environment, planner
from hpc_dl.planning.compatibility import SpecConflict
from hpc_dl.planning.plan import Machine, Plan
from hpc_dl.planning.site import Site
from hpc_dl.scheduler.base import Scheduler


def plan_job(
    scheduler: Scheduler,
    spec: JobSpec,
    site: Site,
    facts: DataFacts,
    *,
    machine: Machine | None = None,
    environment: Mapping[str, str] = MappingProxyType({}),
    **folders: Path,
) -> Plan:
    """Return the plan of a job; `machine` is the one at hand, where the job would run on it.

    `environment` is that of the submission; `folders` are `run_dir`, `run_root` and `data_root`.
    Raises SpecConflict, and UserError where a variable of the environment or a path is at fault.
    """
    if spec.notify.mail and not scheduler.sends_mail:
        where = "of this machine" if scheduler.on_this_machine else f"of {scheduler.name}"
        raise SpecConflict(
            "notify.mail",
            f"jobs {where} send no mail, those of Slurm do",
            "Use notify.webhook; notify.mail=null on the command line leaves it out once.",
        )
    asked = scheduler.resolve(spec.resources, site, environment)
    spec = spec.model_copy(update={"resources": asked.resources})
    try:
        made = planner.make(
            spec,
            asked.site,
            facts,
            backend=scheduler.name,
            machine=machine,
            **folders,
        )
    except SpecConflict as conflict:
        if variable := asked.variable_of(conflict.key):
            raise UserError(f"{variable}: {conflict.message}", hint=conflict.hint) from None
        raise
    options = scheduler.options(spec, asked.site, made.path)
    submitted = {} if machine else job_environment.needed(environment)
    allocator = job_environment.allocator(made.gpus_per_node, environment)
    is_exported = scheduler.exports_environment(options)
    return dataclasses.replace(
        made,
        sbatch=options,
        origins=asked.origins,
        notes=[*asked.notes, *made.notes],
        environment={**allocator, **submitted, **asked.site.environment},
        secrets=[] if is_exported else sorted(job_environment.secrets(environment)),
    )
