"""A run that was killed and started again ends with the same bits as one that never was."""

import random

import pytest

from tests.ranks import train
from tests.running import events, final_state, history, kill_at, new_run

MODELS = {
    "ffnn": {"name": "ffnn", "hidden": [32], "dropout": 0.2},
    "vae": {"name": "vae", "hidden": [32], "latent_dim": 4},
}


def job(model, ranks):
    return {
        "model": MODELS[model],
        "train": {
            "epochs": 10,
            "log_every": 5,
            "micro_batch": 50,
            "clip_norm": 5.0,
            "early_stopping": {"patience": 50},
            "schedule": {"name": "cosine", "warmup_steps": 20},
        },
        "checkpoint": {"every": "7 steps"},
        "resources": {"tasks_per_node": ranks, "cpus_per_task": 1},
    }


@pytest.mark.parametrize("ranks", [1, 2])
@pytest.mark.parametrize("model", MODELS)
def test_kill_9_in_the_middle_and_again_changes_no_bit(tmp_path, model, ranks):
    undisturbed = train(new_run(tmp_path, name="calm", **job(model, ranks)))
    disturbed = new_run(tmp_path, name="killed", **job(model, ranks))
    moments = random.Random(f"{model}{ranks}").sample(range(10, 110, 5), 2)
    for step in sorted(moments):
        kill_at(disturbed, step)
    train(disturbed)
    starts = [event["step"] for event in events(disturbed, "started")]
    assert len(starts) == 3
    assert starts[-1] > 0, "the last attempt began from a checkpoint, not from the beginning"
    assert final_state(disturbed) == final_state(undisturbed)
    assert history(disturbed) == history(undisturbed)


def test_the_same_seed_gives_the_same_bits_and_another_seed_others(tmp_path):
    first, second = (train(new_run(tmp_path)) for _ in range(2))
    other = train(new_run(tmp_path, train={"seed": 1}))
    assert final_state(first) == final_state(second) != final_state(other)


def test_any_division_over_ranks_and_micro_batches_gives_the_same_losses(tmp_path):
    model = {"name": "vae", "hidden": [32], "latent_dim": 4, "noise": 0.0}
    whole = train(new_run(tmp_path, model=model))
    losses = {step: values for step, values in history(whole) if "train/loss" in values}
    for division in (
        {"train": {"micro_batch": 37}},
        {"resources": {"tasks_per_node": 2}},
        {"resources": {"tasks_per_node": 4}, "train": {"micro_batch": 5}},
    ):
        divided = train(new_run(tmp_path, model=model, **division))
        for step, values in history(divided):
            for name in values.keys() & losses.get(step, {}).keys():
                assert values[name] == pytest.approx(losses[step][name], rel=1e-4), (step, name)


def test_ranks_without_any_example_of_a_batch_take_part(tmp_path):
    job = {"data": {"batch_size": 3}, "train": {"epochs": 1, "steps": None, "log_every": 100}}
    alone = train(new_run(tmp_path, **job))
    many = train(new_run(tmp_path, **job, resources={"tasks_per_node": 4}))
    for (step, ours), (_, theirs) in zip(history(alone), history(many), strict=True):
        assert ours == pytest.approx(theirs, rel=1e-3), step
