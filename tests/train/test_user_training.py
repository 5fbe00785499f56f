"""A plain nn.Module with a user's loss, optimizer, schedule and augmentation is trained, resumed
and exported like any other network."""

import torch

from hpc_dl.predictor import load
from tests.submission.test_plain_modules import CODE
from tests.support import ranks
from tests.support.running import events, final_state, history, new_run
from tests.support.snapshots import write


def whole_job(root, name):
    """A job in which everything that may be is the user's own."""
    base = write(root / "base", {"net.py": CODE})
    return new_run(
        root,
        base,
        name=name,
        model={"name": "net.py:Net", "width": 8},
        data={"augment": {"name": "net.py:cutout", "size": 3}},
        train={
            "epochs": None,
            "steps": 30,
            "log_every": 1,
            "loss": {"name": "net.py:focal", "gamma": 1.5},
            "optimizer": {"name": "net.py:Lion", "lr": 1e-3, "beta": 0.8},
            "schedule": {"name": "net.py:halving", "every": 7},
        },
        checkpoint={"every": "5 steps"},
        resources={"tasks_per_node": 2, "cpus_per_task": 1},
    )


def test_killed_and_resumed_it_ends_with_the_same_bits_and_predicts(tmp_path):
    undisturbed = ranks.train(whole_job(tmp_path, "calm"))
    killed = whole_job(tmp_path, "killed")
    ranks.kill_at(killed, 17)
    ranks.train(killed)
    assert events(killed, "started")[-1]["step"] > 0
    assert final_state(killed) == final_state(undisturbed)
    assert history(killed) == history(undisturbed)
    measured = {name for _, values in history(killed) for name in values}
    assert {"train/loss", "val/accuracy", "val/f1_macro", "test/auroc_macro"} <= measured
    assert (killed.artifacts / "test" / "predictions.csv").exists()
    predicted = load(killed.export).predict(torch.rand(3, 1, 8, 8))
    assert predicted["probabilities"].shape == (3, 10)
