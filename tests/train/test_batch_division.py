"""The same losses on one rank and on eight: for which networks that is so, and what the plan says
of the others."""

from functools import cache

import pytest
import torch

from hpc_dl.jobspec.architectures import ZOO
from hpc_dl.planning.compatibility import SpecConflict
from tests.support import every_architecture, ranks, steps
from tests.support.running import events, exported_weights, final_state, history, new_run

DIGITS, KARATE = {"name": "digits"}, {"name": "karate", "batch_size": 4}
SYNC = {"train": {"sync_batch_norm": True}}
USERS = '''
import torch
from torch import nn
from hpc_dl.zoo.supervised import Supervised

class Mine(nn.BatchNorm2d):
    """A user's own kind of torch's layer."""

class Net(Supervised):
    """Batch norm of every sort: of images and of vectors, cumulative, without weights; tied."""

    def network(self):
        twice = nn.BatchNorm1d(8, momentum=None)
        return nn.Sequential(
            nn.Conv2d(1, 4, 3), Mine(4), nn.ReLU(), nn.Conv2d(4, 8, 6), nn.Flatten(),
            twice, nn.Linear(8, 8), twice, nn.BatchNorm1d(8, affine=False),
            nn.Linear(8, 10),
        )

class Synchronised(Supervised):
    """Asks for it by itself."""

    def network(self):
        layers = nn.Conv2d(1, 4, 3), nn.BatchNorm2d(4), nn.Flatten(), nn.Linear(144, 10)
        return nn.SyncBatchNorm.convert_sync_batchnorm(nn.Sequential(*layers))

class Module(nn.Module):
    """No architecture at all."""

    def __init__(self, input_shape, outputs):
        super().__init__()
        self.layer = nn.Linear(input_shape[-1], outputs)

    def forward(self, image):
        return self.layer(image.mean((1, 2)))

def focal(outputs, targets):
    nats = nn.functional.cross_entropy(outputs, targets, reduction="none")
    return (1 - (-nats).exp()) ** 2 * nats

class Plain(Supervised):
    def network(self):
        return nn.Sequential(nn.Flatten(), nn.Linear(64, 8), nn.LayerNorm(8), nn.Linear(8, 10))
'''

SEQUENCES = {
    *("cnn, dna", "lstm, forecast", "lstm, gru, music", "lstm, gru, translation", "lstm, music"),
    *("lstm, reviews", "lstm, tags", "lstm, text", "lstm, translation", "lstm, video"),
    *("rnn, recordings", "rnn, text", "rnn, translation", "transformer, translation"),
}
"""Of every task with sequences, here without dropout."""
JOBS = {
    "autoencoder": {"model": {"hidden": [16], "channels": [4]}},
    "autoencoder with batch norm of all": {
        "model": {"hidden": [16], "channels": [4], "norm": "batch"},
        **SYNC,
    },
    "autoencoder that denoises": {"model": {"hidden": [16], "channels": [4], "use": "denoise"}},
    "cnn": {"model": {"channels": [4], "dropout": 0.0}},
    "cnn with batch norm": {"model": {"channels": [4], "norm": "batch", "dropout": 0.0}},
    "cnn with batch norm of all": {
        "model": {"channels": [4], "norm": "batch", "dropout": 0},
        **SYNC,
    },
    "cnn with group norm": {"model": {"channels": [6], "norm": "group", "dropout": 0.0}},
    "cnn with dropout": {"model": {"channels": [4], "dropout": 0.5}},
    "diffusion": {"model": {"width": 8, "blocks": 1, "steps": 10, "sampling_steps": 2}},
    "ffnn": {"model": {"hidden": [16]}},
    "ffnn with a loss and an optimizer": {
        "model": {"hidden": [16]},
        "train": {"loss": {"name": "users.py:focal"}, "optimizer": {"name": "rmsprop", "lr": 1e-4}},
    },
    "ffnn with group norm": {"model": {"hidden": [16, 8], "norm": "group", "residual": True}},
    "ffnn with batch norm of all": {"model": {"hidden": [16], "norm": "batch"}, **SYNC},
    "ffnn, augmented": {"model": {"hidden": [16]}, "data": {"augment": {"noise": 0.1}}},
    "gan": {"model": {"channels": [4], "latent_dim": 4}},
    "gnn": {"model": {"hidden": 8, "dropout": 0.0}, "data": KARATE},
    "lstm": {"model": {"hidden": 8, "dropout": 0.0}},
    "airbench": {"model": {"channels": [4]}},
    "airbench with batch norm of all": {"model": {"channels": [4]}, **SYNC},
    "resnet": {"model": {"width": 4}},
    "resnet with batch norm of all": {"model": {"width": 4}, **SYNC},
    "resnet with group norm": {"model": {"width": 6, "norm": "group"}},
    "rnn": {"model": {"hidden": 8}},
    "torchvision:shufflenet_v2_x0_5": {"model": {"size": 32}},
    "torchvision:shufflenet_v2_x0_5 of all": {"model": {"size": 32}, **SYNC},
    "transformer": {"model": {"width": 8, "depth": 1, "heads": 2, "dropout": 0.0}},
    "vae": {"model": {"hidden": [16], "channels": [4], "noise": 0.0}},
    "vae with group norm": {
        "model": {"hidden": [16], "norm": "group", "residual": True, "noise": 0.0}
    },
    "vae with noise": {"model": {"hidden": [16], "channels": [4]}},
    "users.py:Net": {},
    "users.py:Net of all": SYNC,
    "users.py:Synchronised": {},
    "users.py:Plain": {},
    "users.py:Module": {"train": {"class_weights": "balanced"}},
    **{name: every_architecture.JOBS[name] for name in sorted(SEQUENCES)},
}
"""By the name of the architecture, and what is special."""
KNOWN = {
    *SEQUENCES,
    *("autoencoder", "cnn", "ffnn", "gnn", "lstm", "rnn", "transformer", "vae"),
    *("autoencoder with batch norm of all", "vae with group norm"),
    *("ffnn with group norm", "ffnn with batch norm of all"),
    *("cnn with batch norm of all", "cnn with group norm", "ffnn with a loss and an optimizer"),
    *("resnet with batch norm of all", "resnet with group norm"),
    "airbench with batch norm of all",
    "torchvision:shufflenet_v2_x0_5 of all",
    "users.py:Net of all",
}
"""Those of which the plan says nothing, for they are the same however they are divided."""


USERS_DIVISIBLE = ["users.py:Plain", "users.py:Synchronised", "users.py:Module"]
"""Those of which the plan cannot know it."""


def spec_of(name, **division):
    job = JOBS[name]
    model = {"name": name.partition(" ")[0].rstrip(","), **job.get("model", {})}
    model |= {"dropout": 0.0} if name in SEQUENCES else {}
    train = {**job.get("train", {}), **division.pop("train", {})}
    return steps.job(model=model, data=job.get("data", DIGITS), train=train, resources=division)


@pytest.fixture(scope="session")
def code(tmp_path_factory):
    folder = tmp_path_factory.mktemp("division")
    (folder / "users.py").write_text(USERS)
    return folder


@pytest.fixture(scope="session")
def on_two(code):
    return steps.on_ranks({name: spec_of(name, tasks_per_node=2) for name in JOBS}, code, 2)


@cache
def on_one(name, code):
    return steps.losses(spec_of(name), code)


def test_the_plan_warns_of_every_architecture_that_is_not_listed_as_divisible(code):
    assert {name.partition(" ")[0].partition(":")[0].rstrip(",") for name in JOBS} >= set(ZOO)
    whole = {name: steps.plan_of(spec_of(name), code).notes for name in JOBS}
    divided = {name: steps.plan_of(spec_of(name, tasks_per_node=2), code).notes for name in JOBS}
    assert {name for name in JOBS if divided[name] == whole[name]} == KNOWN
    assert not any(whole[name] for name in JOBS.keys() - SEQUENCES)


@pytest.mark.parametrize("name", [*sorted(KNOWN), *USERS_DIVISIBLE])
def test_the_losses_on_two_ranks_are_those_on_one(name, code, on_two):
    for ours, theirs in zip(on_one(name, code), on_two[name], strict=True):
        assert ours == pytest.approx(theirs, rel=2e-5)


@pytest.mark.parametrize("name", ["cnn with batch norm", "resnet", "users.py:Net", "gan"])
def test_losses_differ_where_the_plan_warns_of_it(name, code, on_two):
    assert on_one(name, code)[-1] != pytest.approx(on_two[name][-1], rel=1e-4)


@pytest.mark.parametrize("name", JOBS)
def test_micro_batches_have_the_losses_of_the_batch_unless_the_plan_warns(name, code):
    divided = spec_of(name, train={"micro_batch": 4 if "data" not in JOBS[name] else 3})
    if divided.train.sync_batch_norm:
        with pytest.raises(SpecConflict, match="statistics over a whole batch"):
            steps.plan_of(divided, code)
    elif steps.plan_of(divided, code).notes == steps.plan_of(spec_of(name), code).notes:
        for ours, theirs in zip(on_one(name, code), steps.losses(divided, code), strict=True):
            assert ours == pytest.approx(theirs, rel=2e-5)


def test_batch_norm_of_vectors_is_refused_where_a_rank_would_have_a_single_one(code):
    model = {"name": "ffnn", "hidden": [8], "norm": "batch"}
    for batch, ranks_, micro in ((1436, 1, None), (3, 2, None), (15, 1, 7)):
        spec = steps.job(
            model=model,
            data={"batch_size": batch},
            train={"micro_batch": micro} if micro else {},
            resources={"tasks_per_node": ranks_},
        )
        with pytest.raises(SpecConflict, match="batch norm needs two"):
            steps.plan_of(spec, code)
    assert len(steps.losses(steps.job(model=model), code)) == steps.STEPS


def batch_normed(root, size, name="synced", **train):
    """A run of a few short batches, in which some of four ranks have no example."""
    return new_run(
        root,
        name=name,
        model={"name": "cnn", "channels": [4], "hidden": [8], "norm": "batch", "dropout": 0.0},
        data={"batch_size": 3},
        train={
            "epochs": None,
            "steps": 30,
            "log_every": 1,
            "sync_batch_norm": True,
            "optimizer": {"name": "sgd", "lr": 1e-3},
            **train,
        },
        checkpoint={"every": "5 steps"},
        resources={"tasks_per_node": size, "cpus_per_task": 1},
    )


@pytest.mark.parametrize("train", [{"ema_decay": 0.9}, {"strategy": "fsdp"}], ids=str)
def test_a_dummy_batch_does_not_change_batch_norm_statistics(tmp_path, train):
    """Nor to the running ones, with which the evaluation is done and which are kept."""
    one = ranks.train(batch_normed(tmp_path, 1, "one", **train))
    four = ranks.train(batch_normed(tmp_path, 4, "four", **train))
    for (step, ours), (_, theirs) in zip(history(one), history(four), strict=True):
        for name in (it for it in ours if it.endswith("/loss")):
            assert ours[name] == pytest.approx(theirs[name], rel=1e-4), (step, name)
    kept = [exported_weights(it) for it in (one, four)]
    for name, weight in kept[0].items():
        torch.testing.assert_close(weight, kept[1][name], rtol=1e-4, atol=1e-6)
    assert events(four, "warning") == []


def test_with_sync_batch_norm_a_killed_run_ends_with_the_same_bits(tmp_path):
    undisturbed = ranks.train(batch_normed(tmp_path, 2, "calm"))
    killed = batch_normed(tmp_path, 2, "killed")
    ranks.kill_at(killed, 17)
    ranks.train(killed)
    assert final_state(killed) == final_state(undisturbed)
    assert history(killed) == history(undisturbed)


def test_unsynchronised_batch_norm_is_warned_of_once(tmp_path):
    run = batch_normed(tmp_path, 2, sync_batch_norm=False)
    ranks.kill_at(run, 10)
    ranks.train(run)
    (warning,) = events(run, "warning")
    assert warning["message"].startswith("batch norm (1) takes its statistics of the 2 examples")
    assert "train.sync_batch_norm=true" in warning["message"]
