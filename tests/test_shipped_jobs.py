"""The job files that are shipped run to the end, here and on a real Slurm, with the same losses."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from hpc_dl.rundir import RunDir
from tests.cluster import Cluster
from tests.running import history

ROOT = Path(__file__).parent.parent
JOBS = ("ffnn", "vae")
FIXED = {"ffnn": (), "vae": ("model.noise=0.0",)}
"""What takes the randomness out of a step, which is each rank's own."""


def submit(job: str, *words: str, root: Path, env: dict[str, str] | None = None) -> RunDir:
    """`hpcdl submit` as a user types it, to the end; the run that it made."""
    done = subprocess.run(
        [sys.executable, "-m", "hpc_dl", "submit", str(ROOT / "jobs" / f"{job}.yaml"), *words],
        env={**(env or os.environ), "HPCDL_RUN_ROOT": str(root), "HPCDL_SITE": "test-cluster"},
        capture_output=True,
        text=True,
        timeout=540,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return RunDir(Path(json.loads(done.stdout)["run_dir"]))


def final(run: RunDir) -> dict[str, float]:
    """The last training loss, and the losses at the end."""
    losses: dict[str, float] = {}
    for _, values in history(run):
        losses |= {name: value for name, value in values.items() if name.endswith("/loss")}
    return losses


@pytest.mark.parametrize("job", JOBS)
def test_a_shipped_job_trains_as_it_is(tmp_path, job):
    one_core = "resources.cpus_per_task=1"  # other tests run beside this one
    run = submit(job, one_core, "--local", "--json", root=tmp_path)
    first = next(values["train/loss"] for _, values in history(run) if "train/loss" in values)
    assert final(run)["train/loss"] < first
    assert final(run)["test/loss"] < first
    assert sorted(path.name for path in run.artifacts.iterdir()) == (
        ["predictions"] if job == "ffnn" else ["reconstructions", "samples", "walk"]
    )


@pytest.mark.parametrize("job", JOBS)
def test_one_rank_or_four_on_a_real_slurm_give_the_same_losses(
    tmp_path: Path, cluster: Cluster, job: str
) -> None:
    words = ("train.epochs=4", "resources.cpus_per_task=1", "--json", *FIXED[job])
    here = final(submit(job, *words, "--local", root=tmp_path / "here"))
    for nodes, tasks in ((1, 1), (1, 2), (2, 2)):
        shape = (f"resources.nodes={nodes}", f"resources.tasks_per_node={tasks}", "--follow")
        root = tmp_path / f"{nodes}x{tasks}"
        there = final(submit(job, *words, *shape, root=root, env=cluster.env))
        assert there == pytest.approx(here, rel=1e-4), f"{nodes} nodes x {tasks} tasks"
