"""A trial's run folder says which sweep it belongs to."""

from hpc_dl.run import layout, membership
from hpc_dl.run.layout import RunDir
from hpc_dl.sweep import folder
from hpc_dl.sweep import membership as trials
from hpc_dl.sweep.trial import Trial


def test_a_trial_finds_its_sweep_after_a_move_of_both(tmp_path):
    sweep = folder.create(tmp_path / "runs", "vae", layout.PRIVATE)
    run = layout.create(sweep.root, sweep.id)
    assert membership.find(run) is None
    trials.write(run, sweep, Trial(1, {"train.optimizer.lr": 1e-3}, seed=2))
    moved = (tmp_path / "runs").rename(tmp_path / "moved")
    found = membership.find(RunDir(moved / run.id))
    assert found and found.folder(RunDir(moved / run.id)) == moved / "vae.s1"
    assert found.values == {"train.optimizer.lr": 1e-3, "train.seed": 2}
