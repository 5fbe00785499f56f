"""The same seed gives the same bits, and any division of a batch the same losses."""

import io

import pytest
import torch

from hpc_dl.train.world import World
from tests.support import every_architecture
from tests.support.ranks import train
from tests.support.running import digest_of, final_state, history, new_run


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


def test_ranks_without_an_example_of_a_batch_compute_a_dummy_batch(tmp_path):
    job = {"data": {"batch_size": 3}, "train": {"epochs": 1, "steps": None, "log_every": 100}}
    alone = train(new_run(tmp_path, **job))
    many = train(new_run(tmp_path, **job, resources={"tasks_per_node": 4}))
    for (step, ours), (_, theirs) in zip(history(alone), history(many), strict=True):
        assert ours == pytest.approx(theirs, rel=1e-3), step


@pytest.fixture(scope="module")
def code(tmp_path_factory):
    return tmp_path_factory.mktemp("exact")


@pytest.mark.parametrize("name", every_architecture.JOBS)
def test_every_architecture_goes_on_from_what_it_saved_with_the_same_bits(name, code):
    """That whole runs do so is shown where they are killed."""

    def advance(engine, step):
        while engine.step < step:
            engine.train_step(batches.of_step(engine.step), batches.dummy_batch, report=False)

    one = World(0, 1, torch.device("cpu"))
    undisturbed, batches = every_architecture.engine_of(name, code, one)
    advance(undisturbed, 2)
    torch.save(undisturbed.state(), saved := io.BytesIO())
    advance(undisturbed, 4)
    saved.seek(0)
    resumed, batches = every_architecture.engine_of(name, code, one)
    resumed.load(torch.load(saved, weights_only=True))
    advance(resumed, 4)
    assert digest_of(resumed.state()) == digest_of(undisturbed.state())
