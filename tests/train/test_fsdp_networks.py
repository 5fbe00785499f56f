"""Networks that are no plain row of layers, divided over the ranks; and ranks without examples."""

import pytest
import torch

from tests.support import ranks
from tests.support.running import events, exported_weights, history, new_run

OWN = """
import math

import torch
from torch import nn

from hpc_dl.zoo.contract import Architecture, Loss
from hpc_dl.zoo.architectures.ffnn import FeedForward


class Blocks(nn.Module):
    def __init__(self, inputs, outputs):
        super().__init__()
        self.first = nn.Linear(inputs, 32)
        self.blocks = nn.ModuleList([nn.Linear(32, 32) for _ in range(3)])
        self.tied = nn.Linear(32, 32)
        self.tied.weight = self.blocks[0].weight
        self.last = nn.Linear(32, outputs)

    def forward(self, image):
        x = self.first(image.flatten(1))
        for block in [*self.blocks, self.tied]:
            x = x + block(x).tanh()
        return self.last(x)


class Awkward(FeedForward):
    def networks(self):
        return {"model": Blocks(math.prod(self.facts.shape), len(self.facts.classes))}


class Normed(FeedForward):
    def networks(self):
        pixels = math.prod(self.facts.shape)
        layers = nn.BatchNorm1d(pixels), nn.Dropout(0.2), nn.Linear(pixels, len(self.facts.classes))
        return {"model": nn.Sequential(nn.Flatten(), *layers)}


class Adversaries(Architecture):
    players = ("critic", "maker")

    def networks(self):
        n = math.prod(self.facts.shape)
        critic = nn.Sequential(nn.Linear(n, 16), nn.Tanh(), nn.Linear(16, 1))
        maker = nn.Sequential(nn.Linear(n, 16), nn.Tanh(), nn.Linear(16, n))
        return {"critic": critic, "maker": maker}

    def loss(self, nets, batch, player):
        real = batch["image"].flatten(1)
        made = nets["maker"](real)
        if player == "maker":
            return Loss((nets["critic"](made) - 1).square().sum(), len(real))
        said = nets["critic"](torch.cat([real, made.detach()]))
        return Loss((said[: len(real)] - 1).square().sum() + said[len(real) :].square().sum(),
                    len(real))

    def measure(self, nets, batch):
        return {player: self.loss(nets, batch, player) for player in self.players} | {
            "loss": self.loss(nets, batch, "maker")
        }

    def predict(self, nets, batch):
        return {"made": nets["maker"](batch["image"].flatten(1))}


def few(n=5, held_out=513):
    def some(n, seed):
        images = torch.rand(n, 1, 4, 4, generator=torch.Generator().manual_seed(seed))
        return {"image": images, "label": torch.arange(n) % 2}

    return {"train": some(n, 0), "validation": some(held_out, 1), "test": some(3, 2),
            "classes": ["a", "b"]}
"""


def job(root, name, size, model, **sections):
    (root / "own.py").write_text(OWN)
    train = {"strategy": "fsdp", "log_every": 6, "clip_norm": 5.0} | sections.pop("train", {})
    resources = {"tasks_per_node": size, "cpus_per_task": 1}
    return new_run(root, name=name, model=model, train=train, resources=resources, **sections)


def agree(ours, theirs):
    for (step, one), (_, other) in zip(history(ours), history(theirs), strict=True):
        assert one == pytest.approx(other, rel=1e-4), step


@pytest.mark.nightly
@pytest.mark.parametrize("name", ["Awkward", "Adversaries"])
def test_lists_of_layers_tied_weights_and_frozen_players_train_as_on_one_rank(tmp_path, name):
    model, train = {"name": f"own.py:{name}"}, {"micro_batch": 20}
    whole = job(tmp_path, "whole", 1, model, train={**train, "strategy": "ddp"})
    agree(ranks.train(job(tmp_path, "divided", 2, model, train=train)), ranks.train(whole))


def test_batch_norm_statistics_are_the_same_on_every_rank_and_after_a_kill(tmp_path):
    model, often = {"name": "own.py:Normed"}, {"every": "5 steps"}
    undisturbed = ranks.train(job(tmp_path, "calm", 2, model, checkpoint=often))
    killed = job(tmp_path, "killed", 2, model, checkpoint=often)
    ranks.kill_at(killed, 12)
    ranks.train(killed)
    assert events(killed, "started")[1]["step"] > 0
    assert history(killed) == history(undisturbed)
    ours, theirs = (exported_weights(it) for it in (killed, undisturbed))
    assert ours.keys() == theirs.keys()
    assert all(torch.equal(ours[key], theirs[key]) for key in ours)


@pytest.mark.nightly
def test_ranks_without_examples_and_with_fewer_batches_compute_dummy_batches(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)  # where own data are looked for
    data = {"name": "own.py:few", "batch_size": 2}  # the last batch has one, for rank 0 alone
    model = {"name": "ffnn", "hidden": [8], "activation": "tanh"}
    whole = job(tmp_path, "whole", 1, model, data=data, train={"strategy": "ddp"})
    divided = job(tmp_path, "divided", 2, model, data=data)  # measures 257 and 256, of 256 at once
    agree(ranks.train(divided), ranks.train(whole))
