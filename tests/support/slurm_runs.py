"""Runs prepared for Slurm, and their states."""

from pathlib import Path
from typing import Any

import psutil
import pytest

from hpc_dl.jobspec.job import JobSpec
from hpc_dl.jobspec.load import load
from hpc_dl.planning.plan import Plan
from hpc_dl.planning.site import Site
from hpc_dl.run import journal
from hpc_dl.run.layout import RunDir, write_json
from hpc_dl.run.submission import Submission
from hpc_dl.scheduler import registry
from hpc_dl.scheduler.plan_job import plan_job
from hpc_dl.status import Status, read_status
from tests.support import empty_store, reading
from tests.support.running import QUICK, new_run
from tests.support.waiting import wait_until


def plan_for(run_dir: Path, spec: JobSpec | None = None, site: Site | None = None) -> Plan:
    """Return a Slurm job's plan; without a spec that of the quick job."""
    spec = spec or JobSpec.model_validate(QUICK)
    root = run_dir.parent
    return plan_job(
        registry.get("slurm"),
        spec,
        site or Site(name="test"),
        reading.describe(spec.data, root / "data"),
        run_dir=run_dir,
        run_root=root,
        data_root=root / "data",
    )


def new_slurm_run(root: Path, base: Path | None = None, **sections: Any) -> tuple[RunDir, Plan]:
    """Prepare a run of the quick job for Slurm, with sections merged into it."""
    run = new_run(root, base, **sections)
    plan = plan_for(run.path, load(run.spec))
    write_json(run.plan, plan.to_json())
    empty_store.put(root)
    return run, plan


def job_of(run: RunDir) -> str:
    """Return the id of the run's newest job."""
    submission = Submission.load(run)
    assert submission is not None
    return submission.job_id


def wait_for(run: RunDir, state: str, reason: str = "", seconds: float = 120) -> Status:
    """Wait until `hpcdl status` shows this state; another end is an error."""

    def seen() -> Status | None:
        now = read_status(run)
        if now.state != state and now.state in journal.ENDED:
            pytest.fail(f"{now.state}: {now.reason}")
        latest.append(f"{now.state}: {now.reason}")
        return now if now.state == state and now.reason.startswith(reason) else None

    latest: list[str] = []
    try:
        return wait_until(seen, timeout=seconds, interval=0.2, message=f"{run.id} is not {state}")
    except AssertionError as error:
        raise AssertionError(f"{error}; it is {latest[-1]}") from None


def rank_processes(run: RunDir) -> dict[int, psutil.Process]:
    """Return the processes of the run's ranks, by rank; all nodes run on this machine."""
    found = {}
    for process in psutil.process_iter():
        try:
            if {"hpc_dl.worker", str(run.path)} <= set(process.cmdline()):
                environment = process.environ()
                if "SLURM_PROCID" in environment and "srun" not in process.name():
                    found[int(environment["SLURM_PROCID"])] = process
        except psutil.Error:
            continue
    return found
