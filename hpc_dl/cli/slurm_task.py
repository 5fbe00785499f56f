"""A command of hpcdl as a job of Slurm, with the resources of a run."""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Sequence
from dataclasses import dataclass

from hpc_dl.errors import EXIT_CLUSTER, UserError
from hpc_dl.jobspec.load import load_resolved
from hpc_dl.planning import site as sites
from hpc_dl.planning.plan import Plan
from hpc_dl.run import layout, records
from hpc_dl.run.layout import RunDir, write_atomic
from hpc_dl.scheduler import registry
from hpc_dl.scheduler.plan_job import plan_job
from hpc_dl.scheduler.slurm import script
from hpc_dl.scheduler.slurm import submit as slurm
from hpc_dl.scheduler.submit import with_intent
from hpc_dl.submission import hpcdl_code

FOLDER = "predictions"
"""Of the jobs, beside the runs."""


@dataclass(frozen=True)
class SlurmTask:
    """A submitted job."""

    job_id: str
    log: str
    """The file that it prints into."""


def submit(
    run: RunDir, site_name: str | None, command: Sequence[str], overrides: Sequence[str]
) -> SlurmTask:
    """Submit `hpcdl COMMAND` as one task, with one GPU if the run had any.

    `overrides` change the resources of the run: `resources.time=00:10:00`. Raises UserError.
    """
    site, scheduler = sites.load(site_name, os.environ), registry.get("slurm")
    if not scheduler.is_available():
        raise UserError("there is no Slurm here", hint="Leave --slurm out.", exit_code=EXIT_CLUSTER)
    asked = load_resolved(run.spec).resources
    own = [f"name={command[0]}-{run.name}", "resources.nodes=1", "resources.tasks_per_node=null"]
    own += [f"resources.gpus_per_node={min(asked.gpus_per_node, 1)}", "resources.max_requeues=0"]
    spec = load_resolved(run.spec, [*own, *overrides])
    root = sites.expand(site.run_root, os.environ)
    planned = records.load(run.plan, Plan)
    job = layout.create(root / FOLDER, run.name, site.run_folder_mode)
    plan = plan_job(
        scheduler,
        spec,
        site,
        planned.facts,
        environment=os.environ,
        run_dir=job.path,
        run_root=root,
        data_root=sites.expand(site.data_root, os.environ),
    )
    options = {key: value for key, value in plan.sbatch.items() if key != "signal"}
    plan = dataclasses.replace(plan, sbatch=options)
    with layout.writing_as(job):
        job.logs.mkdir()
        hpcdl_code.freeze(job)
        write_atomic(job.script, script.task_script(plan, ["hpc_dl", *command]))
    sent = with_intent(job, plan.backend, lambda intent: slurm.send(job, plan, intent))
    return SlurmTask(sent.job_id, str(job.logs / f"{sent.job_id}-0.log"))
