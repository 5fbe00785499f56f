"""Parameters that a step does not use: one rank and two train alike, and name them."""

import pytest
import torch

from hpc_dl.planning.compatibility import SpecConflict
from tests.support import ranks
from tests.support.running import events, exported_weights, history, new_run

USERS = '''
import torch
from torch import nn
from hpc_dl.zoo.supervised import Supervised


class Body(nn.Module):
    def __init__(self):
        super().__init__()
        self.first, self.last = nn.Linear(64, 16), nn.Linear(16, 10)
        self.spare = nn.Linear(16, 10)
        self.register_buffer("unused", torch.zeros(3))

    def forward(self, image):
        return self.last(self.first(image.flatten(1)).relu())


class Skipping(Supervised):
    """`spare` is never called."""

    def network(self):
        return Body()


class Returned(Supervised):
    """`spare` is called, but the loss leaves out what it says."""

    def network(self):
        class Two(Body):
            def forward(self, image):
                hidden = self.first(image.flatten(1)).relu()
                return self.last(hidden), self.spare(hidden)
        return Two()

    def outputs(self, nets, batch):
        return nets["model"](batch["image"])[0]


class Evaluated(Supervised):
    """`spare` is called in evaluation alone."""

    def network(self):
        class OfEvaluation(Body):
            def forward(self, image):
                hidden = self.first(image.flatten(1)).relu()
                return self.last(hidden) + (0 if self.training else self.spare(hidden))
        return OfEvaluation()


class Now(Supervised):
    """`spare` is called for batches with certain samples: not in each, nor on each rank."""

    def network(self):
        class Sometimes(Body):
            def forward(self, image, now):
                hidden = self.first(image.flatten(1)).relu()
                more = self.spare(hidden) * now[:, None] if now.any() else 0
                return self.last(hidden) + more
        return Sometimes()

    def outputs(self, nets, batch):
        image = batch["image"]
        index = batch.get("index", torch.zeros(len(image)))  # a prediction has none
        return nets["model"](image, index % 19 == 0)


class Teacher(Supervised):
    """A second network is frozen, and takes no turn."""

    def networks(self):
        return {"model": Body(), "teacher": Body().requires_grad_(False)}

    def outputs(self, nets, batch):
        return nets["model"](batch["image"]) + nets["teacher"](batch["image"])


class Auxiliary(Teacher):
    """A second network could learn, but takes no turn."""

    def networks(self):
        return {"model": Body(), "teacher": Body()}

    def loss(self, nets, batch, player):
        assert player == "model"
        return super().loss(nets, batch, player)


class Tied(Supervised):
    def network(self):
        body = Body()
        body.spare.weight = body.last.weight
        return body


class Frozen(Supervised):
    """Nothing can learn."""

    def network(self):
        return Body().requires_grad_(False)
'''
LAYERS = "spare.weight, spare.bias"


@pytest.fixture
def code(tmp_path):
    folder = tmp_path / "code"
    folder.mkdir()
    (folder / "users.py").write_text(USERS)
    return folder


def job(root, code, name, size, **train):
    return new_run(
        root,
        code,
        name=f"{name}-{size}",
        model={"name": f"users.py:{name}"},
        data={"batch_size": 30},
        train={"epochs": None, "steps": 12, "log_every": 1, **train},
        resources={"tasks_per_node": size, "cpus_per_task": 1},
    )


def warnings(run):
    return [event["message"] for event in events(run, "warning")]


def weights(run):
    return exported_weights(run)


def same(ours, theirs):
    for (step, one), (_, other) in zip(history(ours), history(theirs), strict=True):
        assert one == pytest.approx(other, rel=1e-4), step
    for name, weight in weights(ours).items():
        torch.testing.assert_close(weight, weights(theirs)[name], rtol=1e-3, atol=1e-5)


@pytest.mark.parametrize(
    "name, train, said",
    [
        ("Skipping", {}, LAYERS),
        ("Skipping", {"micro_batch": 7, "clip_norm": 1.0, "ema_decay": 0.5}, LAYERS),
        ("Skipping", {"strategy": "fsdp"}, LAYERS),
        ("Returned", {}, LAYERS),
        ("Evaluated", {}, LAYERS),
        ("Tied", {}, "spare.bias"),
        ("Teacher", {}, LAYERS),
        ("Auxiliary", {}, LAYERS),
        ("Now", {"find_unused_parameters": True}, None),
        ("Now", {"find_unused_parameters": True, "micro_batch": 4}, None),
    ],
)
def test_one_rank_and_two_train_alike_and_name_unused_parameters(tmp_path, code, name, train, said):
    one, two = (ranks.train(job(tmp_path, code, name, size, **train)) for size in (1, 2))
    same(one, two)
    for run in (one, two):
        found = [it for it in warnings(run) if "does not use these parameters" in it]
        assert len(found) == (said is not None)
        assert all(it.endswith(f": {said}") for it in found)


def test_parameters_unused_only_in_some_steps_are_named_with_the_option(tmp_path, code):
    run = job(tmp_path, code, "Now", 2)
    with ranks.ended(ranks.start(run)) as processes:
        for process in processes:
            process.join(60)
            assert process.exitcode == 1
    said = "".join(log.read_text() for log in run.logs.glob("*.log"))
    assert f"{LAYERS} of player 'model' is" in said
    assert "train.find_unused_parameters=true" in said


def test_find_unused_parameters_is_refused_with_fsdp(tmp_path, code):
    with pytest.raises(SpecConflict, match="find_unused_parameters"):
        job(tmp_path, code, "Now", 2, find_unused_parameters=True, strategy="fsdp")


def test_a_player_without_gradients_is_named(tmp_path, code):
    run = job(tmp_path, code, "Frozen", 1)
    with ranks.ended(ranks.start(run)) as processes:
        processes[0].join(60)
        assert processes[0].exitcode == 1
    said = next(run.logs.glob("*.log")).read_text()
    assert "the loss of player 'model' does not depend on any of its parameters" in said


def test_killed_and_resumed_it_ends_with_the_same_bits(tmp_path, code):
    """Whether parameters are used is looked for again, and found as before."""
    options = {"find_unused_parameters": True, "steps": 60}
    undisturbed = ranks.train(job(tmp_path, code, "Now", 2, **options))
    killed = job(tmp_path, code, "Now", 2, **options)
    ranks.kill_at(killed, 50)
    ranks.train(killed)
    assert history(killed) == history(undisturbed)
    assert all(
        torch.equal(weights(killed)[name], weights(undisturbed)[name])
        for name in weights(undisturbed)
    )
