"""The job files that are shipped run to the end, here and on a real Slurm, on what they embed.

What they reach on real data is for `hpcdl verify` to say.
"""

import json
import math
import os
import subprocess
import sys
from pathlib import Path

import pytest

from hpc_dl.jobspec.load import load
from hpc_dl.run.layout import RunDir
from hpc_dl.verify import recipes
from tests.support import ranks
from tests.support.cluster import Cluster
from tests.support.running import history, prepared

ROOT = Path(__file__).parent.parent.parent
JOBS = sorted(path.stem for path in recipes.FOLDER.glob("*.yaml"))
QUICK = ("ffnn", "vae", "gnn", "own")
SHORT = ("train.epochs=null", "train.precision=fp32")
"""Half precision takes ten times as long on processors that have no instructions for it."""
ON_DIGITS = {"cifar10": ("data.name=digits", "model.channels=[8,16]")}
"""What takes the place of data that are not shipped."""
FIXED = {"autoencoder": (), "ffnn": (), "vae": ("model.noise=0.0",)}
"""Jobs whose steps have no random numbers, which are each rank's own, and what takes them out."""
ON_SLURM = (*FIXED, "gan", "own")
"""Also one with two players, and one with a model that is not hpcdl's. What Slurm has to do is the
same for the others; that they train on two ranks is shown where they are killed."""


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


def losses(run: RunDir) -> dict[str, list[float]]:
    """The training losses of each player as they were reported."""
    found: dict[str, list[float]] = {}
    for _, values in history(run):
        for name, value in values.items():
            if name.startswith("train/") and name.endswith("/loss"):
                found.setdefault(name, []).append(value)
    return found


def final(run: RunDir) -> dict[str, float]:
    """The last training loss, and the losses at the end."""
    found: dict[str, float] = {}
    for _, values in history(run):
        found |= {name: value for name, value in values.items() if name.endswith("/loss")}
    return found


@pytest.mark.parametrize(
    "job", [it if it in QUICK else pytest.param(it, marks=pytest.mark.nightly) for it in JOBS]
)
def test_a_shipped_job_learns(tmp_path: Path, job: str) -> None:
    file = ROOT / "jobs" / f"{job}.yaml"
    one_core = "resources.cpus_per_task=1"  # other tests run beside this one
    few = (*SHORT, "train.steps=40", "train.log_every=10")
    words = [one_core, *ON_DIGITS.get(job, ()), *(() if job == "ffnn" else few)]
    spec = load(file, words)
    run = ranks.train(prepared(tmp_path, spec, file.parent), drawing=True)
    for name, values in losses(run).items():
        assert all(map(math.isfinite, values)), name
        if job != "gan":  # a game of two, who do not both get better
            assert values[-1] < values[0], name
    assert any(name.startswith("test/") for name in final(run))
    assert list(run.artifacts.rglob("test-step-*"))
    assert (run.export / "weights.safetensors").exists()


@pytest.mark.parametrize("job", ON_SLURM)
@pytest.mark.nightly
def test_a_shipped_job_trains_on_two_ranks_of_a_real_slurm(
    tmp_path: Path, cluster: Cluster, job: str
) -> None:
    words = (*SHORT, "train.steps=20", "resources.cpus_per_task=1", "--json")
    two = ("resources.tasks_per_node=2", "--follow")
    there = submit(job, *words, *two, *FIXED.get(job, ()), root=tmp_path / "there", env=cluster.env)
    assert all(math.isfinite(value) for values in losses(there).values() for value in values)
    if job in FIXED:
        file = ROOT / "jobs" / f"{job}.yaml"
        here = ranks.train(prepared(tmp_path, load(file, [*words[:-1], *FIXED[job]]), file.parent))
        assert final(there) == pytest.approx(final(here), rel=1e-4)


@pytest.mark.nightly
def test_one_rank_and_four_on_a_real_slurm_have_the_same_losses(
    tmp_path: Path, cluster: Cluster
) -> None:
    words = ("train.epochs=4", "resources.cpus_per_task=1", "--json")
    here = final(submit("ffnn", *words, "--local", root=tmp_path / "here"))
    for nodes, tasks in ((1, 1), (2, 2)):
        shape = (f"resources.nodes={nodes}", f"resources.tasks_per_node={tasks}", "--follow")
        root = tmp_path / f"{nodes}x{tasks}"
        there = final(submit("ffnn", *words, *shape, root=root, env=cluster.env))
        assert there == pytest.approx(here, rel=1e-4), f"{nodes} nodes x {tasks} tasks"
