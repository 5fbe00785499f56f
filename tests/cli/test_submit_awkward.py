"""Submitting on a real Slurm from awkward surroundings: little exported, strange folders."""

import dataclasses
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from hpc_dl.cli import main
from hpc_dl.run.layout import RunDir
from hpc_dl.scheduler import script_parts
from hpc_dl.scheduler.slurm.script import job_script
from hpc_dl.status import read_status
from tests.support.cluster import Cluster
from tests.support.slurm_runs import new_slurm_run, wait_for
from tests.support.typed import QUICK, job_file, use_settings
from tests.support.waiting import wait_until

pytestmark = pytest.mark.every_release


@pytest.fixture(autouse=True)
def on_the_cluster(cluster: Cluster, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SLURM_CONF", cluster.env["SLURM_CONF"])


EXPORTS: dict[str, dict[str, Any]] = {
    "none": {"export": "NONE"},
    "nil": {"export": "NIL"},
    "two names": {"export": "HOME,NOTHING=1"},
    "a file": {"export-file": "/dev/null"},
    "the login's": {"get-user-env": True},
}


def test_the_tasks_have_their_environment_whatever_is_exported(
    cluster: Cluster, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(script_parts, "WORKER", ("/bin/sh", "-c", "env"))
    needed = {"PYTHONPATH": "/a b:/c'd", "HPCDL_DATA": "/data $HOME", "PATH": "/login/bin"}
    logs = {}
    for name, options in EXPORTS.items():
        run, plan = new_slurm_run(tmp_path, resources={"slurm": options})
        plan = dataclasses.replace(plan, environment=needed)
        run.script.write_text(job_script(plan))
        job = cluster.run("sbatch", "--parsable", str(run.script))
        logs[name] = run, run.logs / f"{job}-0.log"
    for name, (run, log) in logs.items():
        wait_until(partial(_is_written, log), 90, 0.2, f"the environment with {name}")
        lines = log.read_text().splitlines()
        path = f"{run.hpcdl}:{needed['PYTHONPATH']}"
        assert {f"PYTHONPATH={path}", "HPCDL_DATA=/data $HOME"} <= set(lines), name
        assert any(line.startswith("PATH=") for line in lines)


def _is_written(log: Path) -> bool:
    return log.exists() and "OMP_NUM_THREADS=1\n" in log.read_text()


HOSTILE = "100%j %x [x] 'q' \"d\" $ `id`; #&*!~é :smile: hetjob"


def test_a_run_root_of_all_awkward_characters_trains_and_is_found(
    cluster: Cluster, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: Any
) -> None:
    """Where the site exports nothing, too; the plan says what happens."""
    use_settings(monkeypatch, tmp_path)
    root = tmp_path / HOSTILE / "runs"
    monkeypatch.setenv("HPCDL_RUN_ROOT", str(root))
    for name, value in {"EXPORT": "NONE", "PARTITION": "short", "TIMELIMIT": "2"}.items():
        monkeypatch.setenv(f"SBATCH_{name}", value)
    words = [
        "submit",
        job_file(tmp_path, QUICK.replace(", time: 00:10:00", "")),
        "--site",
        "test-cluster",
    ]
    assert main([*words, "--dry-run=plan"]) == 0
    plan = capfd.readouterr().out
    assert "to start at" in plan
    assert "in partition short" in plan
    assert main(words) == 0
    run = RunDir(root / "quick-1")
    job = read_status(run).job_id
    assert cluster.run("squeue", "-h", "--states=all", "-j", str(job), "-o", "%P") == "short"
    wait_for(run, "completed")
    assert sorted(path.name for path in run.logs.glob("*-*.log")) == [
        f"{job}-0.log",
        f"{job}-batch.log",
    ]
    capfd.readouterr()
    assert main(["status", "quick"]) == 0
    assert str(run.path) in capfd.readouterr().out
    assert main(["logs", "quick"]) == 0
