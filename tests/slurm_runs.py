"""Prepared runs that are meant for Slurm."""

from pathlib import Path
from typing import Any

from hpc_dl import plan as planning
from hpc_dl.data import staged
from hpc_dl.plan import Plan
from hpc_dl.rundir import RunDir, write_json
from hpc_dl.site import Site
from hpc_dl.spec.job import JobSpec
from hpc_dl.spec.load import load
from tests.running import QUICK, new_run


def plan_for(run_dir: Path, spec: JobSpec | None = None, site: Site | None = None) -> Plan:
    """A Slurm job's plan, of the quick job if nothing else is given."""
    spec = spec or JobSpec.model_validate(QUICK)
    root = run_dir.parent
    return planning.make(
        spec,
        site or Site(name="test"),
        staged.facts(spec.data, root / "data"),
        run_dir=run_dir,
        run_root=root,
        data_root=root / "data",
    )


def new_slurm_run(root: Path, base: Path | None = None, **sections: Any) -> tuple[RunDir, Plan]:
    """A prepared run of the quick job, with sections merged into it, planned for Slurm."""
    run = new_run(root, base, **sections)
    plan = plan_for(run.path, load(run.spec))
    write_json(run.plan, plan.to_json())
    return run, plan
