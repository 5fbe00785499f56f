"""A loss that is not finite: named, kept for a look, and then stop, skip the step, or go back."""

import copy
import dataclasses
import json
import math

import pytest
import torch

from hpc_dl.train import nonfinite
from tests.support import ranks, steps
from tests.support.own_models import own_models
from tests.support.running import events, final_state, history, new_run

BAD = [1500, 7]
"""Training samples whose loss is infinite; each epoch meets both."""


def poisoned(root, policy, **sections):
    sections.setdefault("train", {"epochs": 2})
    sections["train"] |= {"on_nonfinite": policy, "log_every": 1}
    model = {"name": "own.py:Poisoned", "bad": BAD}
    return new_run(root, own_models(root / "code"), model=model, **sections)


def warnings(run):
    return [event["message"] for event in events(run, "warning")]


def stopped(run):
    """What the log of rank 0 says in the end, after a run that was to fail."""
    with ranks.ended(ranks.start(run)) as processes:
        for process in processes:
            process.join(60)
        assert processes[0].exitcode == 1
    return next(run.logs.glob("*-0.log")).read_text()


@pytest.mark.parametrize("size", [1, 2])
def test_stop_names_step_player_and_samples_and_keeps_the_state(tmp_path, size):
    run = poisoned(tmp_path, "stop", resources={"tasks_per_node": size, "cpus_per_task": 1})
    said = stopped(run)
    (kept,) = (run.path / "nonfinite").iterdir()
    found = json.loads((kept / "samples.json").read_text())
    assert found["samples"] in ([1500], [7], [1500, 7], [7, 1500]), "not the others of the batch"
    assert f"step {found['step']}: the loss of player 'model' is inf" in said
    several = "s" if len(found["samples"]) > 1 else ""
    assert f"on training example{several} {', '.join(map(str, found['samples']))}" in said
    assert "train.on_nonfinite can be `skip` or `rollback`" in said
    state = torch.load(kept / "state.pt", weights_only=True)
    assert state["step"] == found["step"], "the step that fails is the next"
    assert all(tensor.isfinite().all() for tensor in state["networks"]["model"].values())


def test_skip_leaves_the_step_out_and_continues(tmp_path):
    run = ranks.train(poisoned(tmp_path, "skip"))
    faults = warnings(run)
    steps = [int(message.split(":")[0].removeprefix("step ")) for message in faults]
    assert 2 <= len(steps) <= 4, "once for each batch with a bad sample, in two epochs"
    assert all("the step is skipped" in message for message in faults)
    reported = [step for step, values in history(run) if "train/loss" in values]
    assert {step - 1 for step in reported}.isdisjoint(steps)
    losses = [values["train/loss"] for _, values in history(run) if "train/loss" in values]
    assert all(math.isfinite(loss) for loss in losses)
    assert losses[-1] < losses[0]


def test_a_skipped_step_is_skipped_again_by_a_run_that_was_killed(tmp_path):
    job = {"train": {"epochs": 3}, "checkpoint": {"every": "5 steps"}}
    undisturbed = ranks.train(poisoned(tmp_path, "skip", name="calm", **job))
    killed = poisoned(tmp_path, "skip", name="killed", **job)
    ranks.kill_at(killed, 20)
    ranks.train(killed)
    assert final_state(killed) == final_state(undisturbed)
    assert history(killed) == history(undisturbed)


def test_too_many_skipped_steps_in_a_row_stop_the_run(tmp_path):
    model = {"name": "own.py:Broken", "always": True}
    train = {"epochs": 3, "on_nonfinite": "skip"}
    run = new_run(tmp_path, own_models(tmp_path / "code"), model=model, train=train)
    assert "step 10: the loss of player 'model' is nan" in stopped(run)
    assert len(warnings(run)) == 10


def test_rollback_loads_the_last_checkpoint_at_half_the_rate(tmp_path):
    """And to the one before where the first step after it fails again."""
    model = {"name": "own.py:Broken", "always": False}
    train = {"epochs": 2, "log_every": 1, "on_nonfinite": "rollback"}
    code, every = own_models(tmp_path / "code"), {"every": "1 steps", "keep": 5}
    run = ranks.train(new_run(tmp_path, code, model=model, train=train, checkpoint=every))
    first, second = warnings(run)
    step = int(first.split(":")[0].removeprefix("step "))
    assert f"rolled back to step-{step - 1:08d}, at 0.5 of the learning rate" in first
    assert second.startswith(f"step {step}: ")
    assert f"rolled back to step-{step - 1:08d}, at 0.25 of the learning rate" in second
    rates = {at: values["train/lr"] for at, values in history(run) if "train/lr" in values}
    assert [rates[step - 1], rates[step]] == [0.001, 0.00025]
    assert list(rates) == list(range(1, 25)), "every step is once in the history"


MOVING = {"optimizer": {"name": "sgd", "lr": 0.1, "momentum": 0.9}, "ema_decay": 0.9}
UNTOUCHED = {
    "batch norm": ({"name": "cnn", "channels": [4], "norm": "batch"}, "model"),
    "first player": ({"name": "gan", "channels": [4], "latent_dim": 4}, "critic"),
    "penalty": ({"name": "gan", "channels": [4], "loss": "wasserstein-gp"}, "critic"),
}


@pytest.mark.parametrize("case", UNTOUCHED)
def test_an_update_whose_loss_is_not_finite_changes_nothing(tmp_path, monkeypatch, case):
    """Statistics, momentum and average too; who would move next in that step does not."""
    model, player = UNTOUCHED[case]
    engine, batches = steps.engine_of(steps.job(model=model, train=MOVING), tmp_path)
    engine.train_step(batches.of_step(0), batches.dummy_batch, report=True)
    before = copy.deepcopy(engine.state())
    batch = batches.of_step(1)
    first = batch[0]["index"][0].item()
    sound = engine.architecture.loss

    def infinite(nets, batch, of):
        loss = sound(nets, batch, of)
        bad = math.inf if of == player and first in batch["index"] else 0
        return dataclasses.replace(loss, total=loss.total + bad)

    monkeypatch.setattr(engine.architecture, "loss", infinite)
    skipped = engine.train_step(batch, batches.dummy_batch, report=True)
    assert (skipped.step, skipped.player, skipped.total) == (1, player, math.inf)
    assert nonfinite.samples(engine, batch, player) == [first]
    assert_same(engine.state() | {"step": 1}, before)
    reported = engine.report()
    assert not any(name.endswith("grad_norm") for name in reported), "nor has a run resumed here"


def assert_same(ours, theirs):
    if isinstance(ours, torch.Tensor):
        assert torch.equal(ours, theirs)
    elif isinstance(ours, dict):
        assert ours.keys() == theirs.keys()
        for key in ours:
            assert_same(ours[key], theirs[key])
    elif isinstance(ours, list):
        for one, other in zip(ours, theirs, strict=True):
            assert_same(one, other)
    else:
        assert ours == theirs
