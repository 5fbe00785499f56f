"""A site's wrapper and environment: in front of each task and inside it, on a real Slurm."""

from pathlib import Path

import pytest

from hpc_dl.cli import job_request
from hpc_dl.errors import UserError
from hpc_dl.jobspec.load import load
from hpc_dl.planning import job_environment
from hpc_dl.planning.site import Site
from hpc_dl.run import journal
from hpc_dl.run.layout import write_json
from hpc_dl.scheduler import registry
from hpc_dl.scheduler.submit import submit
from tests.support.cluster import Cluster
from tests.support.own_models import own_models
from tests.support.ranks import wait_for_step
from tests.support.slurm_runs import job_of, new_slurm_run, plan_for
from tests.support.waiting import wait_until

KEEPS_RUNNING = """#!/bin/sh
echo "wrapped $SLURM_PROCID $LAB_COLOUR" >>"$SEEN"
"$@"
exit $?
"""
"""A wrapper that waits for the worker, where `exec` would make it the worker."""


@pytest.mark.parametrize(
    "signal, reason",
    [
        ("USR2", "wall-clock limit"),
        pytest.param("TERM", "terminated by a signal", marks=pytest.mark.nightly),
    ],
)
def test_slurms_signals_reach_the_worker_behind_a_script_that_does_not_exec(
    cluster: Cluster, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, signal: str, reason: str
) -> None:
    """The script would die of them, and srun would kill the worker before it has saved."""
    monkeypatch.setenv("SLURM_CONF", cluster.env["SLURM_CONF"])
    wrapper, seen = tmp_path / "wrap.sh", tmp_path / "seen by it"
    wrapper.write_text(KEEPS_RUNNING)
    wrapper.chmod(0o755)
    run, _ = new_slurm_run(
        tmp_path / "runs",
        own_models(tmp_path / "base"),
        model={"name": "own.py:Slow", "pace": 0.05},
        train={"epochs": 40, "log_every": 4},
        resources={"cpus_per_task": 1, "max_requeues": 1},
    )
    site = Site(
        name="test",
        wrapper=f'env "SEEN={seen}" {wrapper}',
        environment={"LAB_COLOUR": "dark 'blue'"},
    )
    plan = plan_for(run.path, load(run.spec), site)
    write_json(run.plan, plan.to_json())
    submit(run, plan)
    wait_for_step(run, 4)
    cluster.run("scancel", f"--signal={signal}", job_of(run))
    wait_until(lambda: '"requeued"' in run.journal.read_text(), timeout=120)
    cluster.run("scancel", job_of(run))
    states = [entry.event for entry in journal.read(run.journal, kinds=("state",))]
    assert [it["reason"] for it in states if it["state"] == "requeued"] == [reason]
    assert "wrapped 0 dark 'blue'" in seen.read_text().splitlines()


def test_a_job_of_this_machine_has_the_environment_and_says_that_it_has_no_wrapper(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    request = requested(tmp_path, monkeypatch, "wrapper: env\nenvironment: {LAB_COLOUR: blue}\n")
    plan = request.plan(tmp_path / "runs" / "quick-1", registry.get("local"))
    assert plan.environment == {**job_environment.ALLOCATOR, "LAB_COLOUR": "blue"}
    assert not plan.wrapper
    assert any("has no wrapper" in note for note in plan.notes)


@pytest.mark.parametrize(
    "lines, said",
    [
        ("wrapper: apptainer-of-another-lab exec x.sif\n", "is not on the PATH"),
        ("wrapper: /opt/no/such exec\nsetup: [module load x]\n", "/opt/no/such is not there"),
        ("wrapper: ./wrap.sh\n", "relative path"),
    ],
)
def test_a_wrapper_that_is_not_there_is_refused_before_anything_is_submitted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, lines: str, said: str
) -> None:
    request = requested(tmp_path, monkeypatch, lines)
    with pytest.raises(UserError, match=said):
        request.plan(tmp_path / "runs" / "quick-1", registry.get("slurm"))


def test_a_module_may_bring_the_wrapper(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    lines = "wrapper: apptainer-of-a-module exec x.sif\nsetup: [module load apptainer]\n"
    request = requested(tmp_path, monkeypatch, lines)
    assert request.plan(tmp_path / "runs" / "quick-1", registry.get("slurm")).wrapper


def requested(folder: Path, monkeypatch: pytest.MonkeyPatch, lines: str) -> job_request.JobRequest:
    (folder / "site.yaml").write_text(f"name: mine\nrun_root: {folder}/runs\n{lines}")
    (folder / "job.yaml").write_text(
        "name: quick\nmodel: {name: ffnn}\ndata: {name: digits}\ntrain: {epochs: 1}\n"
    )
    monkeypatch.delenv("HPCDL_RUN_ROOT", raising=False)
    return job_request.read(folder / "job.yaml", (), str(folder / "site.yaml"))
