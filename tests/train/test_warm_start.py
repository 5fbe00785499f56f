"""A training begins with the weights of another: what fits is taken, all else is made anew."""

import csv
import dataclasses

import pytest
import torch

from hpc_dl import zoo
from hpc_dl.errors import UserError
from hpc_dl.jobspec.job import JobSpec
from hpc_dl.run.initial_weights import InitialWeights, Source
from hpc_dl.train import optim, warm_start
from hpc_dl.train.player import EMA, Player
from hpc_dl.zoo.trained import WEIGHTS, read_weights
from tests.support import exports, ranks
from tests.support.running import events, exported_weights, final_state, history, new_run

NORMED = (
    {"name": "cnn", "channels": [4], "hidden": [8], "norm": "batch", "dropout": 0.0},
    exports.GREY,
)
"""Its tensors are 0.* (convolution), 1.* (batch norm), 5.* and 7.* (dense)."""


def initial_of(folder, options, facts):
    """The export of other random weights, trained on data with these facts."""
    file = exports.export(folder, options, facts) / WEIGHTS
    return InitialWeights(file, Source("before-1", facts))


def begin(initial, options, facts, code, **asked):
    """Networks with other weights than those, after a warm start, and its report."""
    model = {**options, "init_from": {"from": "before-1", **asked}}
    spec = JobSpec.model_validate(
        {"name": "x", "model": model, "data": {"name": "digits"}, "train": {"steps": 1}}
    )
    torch.manual_seed(5)
    nets = zoo.build(spec.model, facts, code).networks()
    fresh = {name: it.clone() for name, it in nets["model"].state_dict().items()}
    return nets["model"], fresh, warm_start.begin(nets, initial, spec.model, facts, code)


def other(facts, side, name, **changes):
    features = dict(getattr(facts, side))
    features[name] = dataclasses.replace(features[name], **changes)
    return dataclasses.replace(facts, **{side: features})


OTHERS = ("<unk>", "ob", "tu", "oder", "nicht")
OTHER_DATA = {
    "as many other classes": (
        *NORMED,
        other(exports.GREY, "targets", "label", vocabulary=("hen", "ox", "pig")),
        {"7.weight", "7.bias"},
    ),
    "more classes": (
        *NORMED,
        other(exports.GREY, "targets", "label", vocabulary=("cat", "dog", "owl", "pig")),
        {"7.weight", "7.bias"},
    ),
    "as many other tokens": (
        *exports.RAW["rnn of a play"],
        other(
            other(exports.PLAY, "inputs", "text", vocabulary=OTHERS),
            *("targets", "next"),
            vocabulary=OTHERS,
        ),
        {"embedding.weight", "head.1.weight", "head.1.bias"},
    ),
    "as many other columns": (
        *exports.OTHERS["ffnn of tables"],
        dataclasses.replace(exports.TABLE, columns=tuple("abcde")),
        {"network.0.mean", "network.0.deviation", "network.1.1.weight", "network.1.1.bias"},
    ),
}


@pytest.mark.parametrize("name", OTHER_DATA)
def test_what_has_a_weight_for_each_class_token_or_column_is_made_anew(name, tmp_path):
    options, there, here, expected = OTHER_DATA[name]
    initial = initial_of(tmp_path / "export", options, there)
    net, fresh, report = begin(initial, options, here, tmp_path)
    before = read_weights(initial.file)["model"]
    assert set(report.names("new")) == expected, dict(fresh)
    for key, tensor in net.state_dict().items():
        assert torch.equal(tensor, (fresh if key in expected else before)[key]), key


def test_of_the_same_data_everything_is_taken_and_the_network_computes_the_same(tmp_path):
    options, facts = exports.OTHERS["ffnn of tables"]
    initial = initial_of(tmp_path / "export", options, facts)
    net, _, report = begin(initial, options, facts, tmp_path)
    assert not report.names("new", "left")
    same = read_weights(initial.file)["model"]
    assert all(torch.equal(it, same[key]) for key, it in net.state_dict().items())


PLAIN = """
from torch import nn

class Net(nn.Module):
    def __init__(self, input_shape, outputs):
        super().__init__()
        self.body = nn.Sequential(nn.Flatten(), nn.Linear(64, 8), nn.ReLU())
        self.head = nn.Linear(8, outputs)

    def forward(self, image):
        return self.head(self.body(image))
"""


def test_a_plain_module_begins_with_a_state_dict_and_a_checkpoint_with_averages(tmp_path):
    (tmp_path / "net.py").write_text(PLAIN)
    there = {"body.1.weight": torch.ones(8, 64), "body.1.bias": torch.ones(8)}
    others = {name: it + 1 for name, it in there.items()}
    torch.save(there, tmp_path / "net.pt")
    engine = {"networks": {"model": others}, "averages": {"model": there}}
    torch.save({"engine": engine}, tmp_path / "state.pt")
    for name in ("net.pt", "state.pt"):
        initial = InitialWeights(tmp_path / name, Source(name))
        options = {"name": "net.py:Net"}
        net, fresh, report = begin(
            initial, options, exports.GREY, tmp_path, freeze=["body.*"], lr_scale=0.1
        )
        assert torch.equal(net.body[1].weight, there["body.1.weight"])
        assert torch.equal(net.head.weight, fresh["head.weight"])
        assert not net.body[1].weight.requires_grad
        assert set(report.names("new")) == {"head.weight", "head.bias"}


@pytest.mark.nightly
def test_weights_that_fsdp_divides_are_taken_frozen_and_trained_slowly(tmp_path):
    options, asked = {"name": "ffnn", "hidden": [8, 8]}, {"freeze": ["1.*"], "lr_scale": 0.1}
    losses = []
    for strategy, size in (("ddp", 1), ("fsdp", 2)):
        run = new_run(
            tmp_path / strategy,
            model={**options, "init_from": {"from": "before-1", **asked}},
            train={"steps": 4, "epochs": None, "log_every": 1, "strategy": strategy},
            initial=initial_of(tmp_path / f"{strategy}-export", options, exports.GREY),
            resources={"tasks_per_node": size, "cpus_per_task": 1},
        )
        ranks.train(run)
        before, after = read_weights(run.initial_weights / WEIGHTS)["model"], exported_weights(run)
        assert torch.equal(before["1.weight"], after["1.weight"])
        assert not torch.equal(before["3.weight"], after["3.weight"])
        found = (values for _, values in history(run))
        losses.append([it["train/loss"] for it in found if "train/loss" in it])
    assert losses[1] == pytest.approx(losses[0], rel=1e-4)


def test_what_is_asked_for_is_taken_frozen_and_trained_at_its_own_rate(tmp_path):
    initial = initial_of(tmp_path / "export", *NORMED)
    asked = {"only": ["[0-5].*"], "freeze": ["[01].*"], "lr_scale": 0.1}
    net, _, report = begin(initial, *NORMED, tmp_path, **asked)
    assert set(report.names("new")) == {"7.weight", "7.bias"}
    assert set(report.names("taken")) == {"5.weight", "5.bias"}
    spec = JobSpec.model_validate(
        {"name": "x", "model": {"name": "ffnn"}, "data": {"name": "digits"}, "train": {"steps": 1}}
    )
    optimizer = optim.optimizer(spec.train.optimizer, net, tmp_path, report.lr_scales("model"))
    player, ema = Player(net, optimizer, lambda step: 1e-2), EMA(net, 0.9)
    player.set_rate(0, 1.0)
    assert sorted(group["lr"] for group in optimizer.param_groups) == [1e-3, 1e-2]
    before = {key: it.clone() for key, it in net.state_dict().items()}
    for step in range(3):
        net.train()
        net(torch.rand(4, 1, 8, 8)).square().sum().backward()
        optimizer.step()
        ema.update(step)
        net.eval()
    changed = {key for key, it in net.state_dict().items() if not torch.equal(it, before[key])}
    assert changed == {"5.weight", "5.bias", "7.weight", "7.bias"}
    for key in before.keys() - changed:
        assert torch.equal(ema.network.state_dict()[key], before[key]), key


def test_what_fits_nothing_is_refused_with_what_there_is(tmp_path):
    initial = initial_of(tmp_path / "export", *NORMED)
    refused = {
        "nothing of before-1 fits the network of model.name resnet": (
            {"name": "resnet", "depth": 8},
            {},
        ),
        "nothing that is there matches 'conv*'": (NORMED[0], {"only": ["conv*"]}),
        "nothing that is taken matches '7.*'": (NORMED[0], {"only": ["0.*"], "freeze": ["7.*"]}),
        "leaves nothing to train": (NORMED[0], {"freeze": ["*"]}),
    }
    for message, (options, asked) in refused.items():
        with pytest.raises(UserError) as caught:
            begin(initial, options, exports.GREY, tmp_path, **asked)
        assert message in str(caught.value)
        assert "0.weight" in str(caught.value) or "last layer" in str(caught.value)
    (tmp_path / "torn.safetensors").write_bytes(initial.file.read_bytes()[:500])
    torch.save([1, 2], tmp_path / "list.pt")
    for name, message in {"torn.safetensors": "cannot be read", "list.pt": "no state dict"}.items():
        damaged = dataclasses.replace(initial, file=tmp_path / name)
        with pytest.raises(UserError, match=message):
            begin(damaged, *NORMED, tmp_path)


MODEL = {**NORMED[0], "init_from": {"from": "before-1", "freeze": ["[01].*"], "lr_scale": 0.5}}
TRAIN = {"steps": 12, "epochs": None, "log_every": 1, "ema_decay": 0.9}


def test_a_killed_run_ends_with_the_same_bits_and_two_ranks_with_the_same_losses(tmp_path):
    def run(ranks_, name):
        initial = initial_of(tmp_path / name, *NORMED)
        found = new_run(
            tmp_path / "runs",
            model=MODEL,
            train=TRAIN,
            initial=initial,
            checkpoint={"every": "3 steps"},
            resources={"tasks_per_node": ranks_, "cpus_per_task": 1},
        )
        initial.file.unlink()  # it has a copy of its own
        return found

    whole, killed = ranks.train(run(2, "a")), run(2, "b")
    ranks.kill_at(killed, 5)
    ranks.train(killed)
    assert final_state(killed) == final_state(whole)
    alone = ranks.train(run(1, "c"))
    for (step, ours), (_, theirs) in zip(history(alone), history(whole), strict=True):
        losses = {key: it for key, it in ours.items() if key.endswith("loss")}
        assert losses == pytest.approx({it: theirs[it] for it in losses}, rel=1e-3), step
    (event,) = events(alone, "warm_start")
    assert (event["source"], event["taken"], event["frozen"]) == ("before-1", 9, 7)
    assert set(event["new"]) == {"7.weight", "7.bias"}  # of ten classes, and not three
    assert len(events(killed, "warm_start")) == 1
    with (alone.artifacts / "warm_start.csv").open() as file:
        rows = {row["name"]: row for row in csv.DictReader(file)}
    assert rows["0.weight"]["became"] == "frozen"
    assert (rows["7.bias"]["shape"], rows["7.bias"]["shape there"]) == ("[10]", "[3]")
    before = read_weights(alone.initial_weights / WEIGHTS)["model"]
    after = exported_weights(alone)
    assert all(torch.equal(before[key], after[key]) for key in before if key[0] in "01")
    assert not torch.equal(before["5.weight"], after["5.weight"])
