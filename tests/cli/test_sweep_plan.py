"""What `hpcdl submit --sweep --dry-run` says before anything is submitted."""

import json

import pytest

from hpc_dl.cli import main
from hpc_dl.scheduler import registry
from hpc_dl.scheduler.slurm import array

JOB = """\
name: run
model: {name: vae, latent_dim: 4}
data: {name: digits}
train: {steps: 8}
resources: {nodes: 2, gpus_per_node: 4, time: 00:30:00}
"""


@pytest.fixture
def submit(tmp_path, monkeypatch, capsys):
    """Submits with --sweep for a cluster, whose arrays have ten jobs at most, and returns what is
    printed."""
    monkeypatch.setenv("HPCDL_RUN_ROOT", str(tmp_path / "runs"))
    monkeypatch.setattr(registry, "choose", lambda site, local: registry.get("slurm"))
    monkeypatch.setattr(array, "max_array_size", lambda: 11)
    path = tmp_path / "job.yaml"
    path.write_text(JOB)

    def run(*words):
        assert main(["submit", str(path), "--sweep", *words]) == 0
        assert not (tmp_path / "runs").exists()
        return capsys.readouterr().out

    return run


def test_trials_arrays_and_cost_are_shown(submit):
    shown = submit("train.seed={int_uniform: [1, 99]}", "sweep.trials=24", "--dry-run=plan")
    lines = [line.split() for line in shown.splitlines()]
    assert "3 arrays of jobs: 10 + 10 + 4, 8 at once" in shown
    assert "at most 24.00 node hours, 96.00 GPU hours: 00:30:00 each, without requeues" in shown
    numbers = [line[0] for line in lines if line and line[0].isdecimal()]
    assert numbers == [*map(str, range(1, 13)), *map(str, range(21, 25))]
    assert "... 8 more" in shown


def test_all_trials_are_in_the_json(submit):
    found = json.loads(
        submit("train.seed=[5,6,7]", "sweep.concurrent=2", "--dry-run=plan", "--json")
    )
    assert [it["values"] for it in found["trials"]] == [{"train.seed": it} for it in (5, 6, 7)]
    assert (found["arrays"], found["at_once"]) == ([3], 2)
    assert found["at_most"] == {"node_hours": 3.0, "gpu_hours": 12.0}


def test_the_script_is_that_of_an_array_for_each_part(submit):
    script = submit("sweep.seeds=12", "--dry-run=script")
    assert [it for it in script.splitlines() if "--array" in it] == [
        "#SBATCH --array=1-10%8",
        "#SBATCH --array=1-2%2",
    ]
    assert script.count("hpc_dl.cli.sweeps.task") == 2


def test_a_spec_with_a_sweep_says_that_it_is_left_out(submit, tmp_path, capsys):
    path = tmp_path / "swept.yaml"
    path.write_text(JOB + "sweep: {seeds: 2}\n")
    assert main(["submit", str(path), "--dry-run=plan"]) == 0
    assert "`hpcdl submit JOB.yaml --sweep` trains all of its trials" in capsys.readouterr().out
