"""The feed-forward network is the workshop's: Flatten, 784-512, ReLU, 512-512, ReLU, 512-10."""

import pytest
import torch
from torch import nn

from hpc_dl.errors import UserError
from hpc_dl.jobspec.architectures.ffnn import FeedForward as Options
from hpc_dl.jobspec.facts import DataFacts
from hpc_dl.zoo.architectures.ffnn import FeedForward
from hpc_dl.zoo.layers.dense import norm

MNIST = DataFacts.of("image", "classify", (1, 28, 28), tuple("0123456789"), 54000, 6000, 10000)


def network(**options):
    return FeedForward(Options(name="ffnn", **options), MNIST).networks()["model"]


def test_the_default_is_the_workshops_network():
    kinds = [type(layer) for layer in network()]
    assert kinds == [nn.Flatten, nn.Linear, nn.ReLU, nn.Linear, nn.ReLU, nn.Linear]
    shapes = [tuple(layer.weight.shape) for layer in network() if isinstance(layer, nn.Linear)]
    assert shapes == [(512, 784), (512, 512), (10, 512)]


def test_no_hidden_layer_is_a_linear_classifier():
    assert [tuple(p.shape) for p in network(hidden=[]).parameters()] == [(10, 784), (10,)]


def test_dropout_and_activation_follow_every_layer_but_the_last():
    kinds = [type(layer) for layer in network(hidden=[32, 16], activation="tanh", dropout=0.1)]
    hidden = [nn.Linear, nn.Tanh, nn.Dropout]
    assert kinds == [nn.Flatten, *hidden, *hidden, nn.Linear]


def test_the_loss_is_a_sum_so_parts_of_a_batch_add_up():
    architecture = FeedForward(Options(name="ffnn"), MNIST)
    nets = architecture.networks()
    batch = {"image": torch.rand(12, 1, 28, 28), "label": torch.arange(12) % 10}
    whole = architecture.loss(nets, batch, "model")
    parts = [
        architecture.loss(nets, {key: value[part] for key, value in batch.items()}, "model")
        for part in (slice(0, 5), slice(5, 12))
    ]
    assert whole.count == sum(part.count for part in parts) == 12
    torch.testing.assert_close(whole.total, parts[0].total + parts[1].total)


def test_it_overfits_a_few_examples():
    architecture = FeedForward(Options(name="ffnn", hidden=[64]), MNIST)
    nets = architecture.networks()
    batch = {"image": torch.rand(20, 1, 28, 28), "label": torch.arange(20) % 10}
    optimizer = torch.optim.Adam(nets["model"].parameters(), lr=1e-2)
    for _ in range(60):
        loss = architecture.loss(nets, batch, "model")
        optimizer.zero_grad()
        (loss.total / loss.count).backward()
        optimizer.step()
    measured = architecture.measure(nets, batch)
    assert measured["accuracy"].total / measured["accuracy"].count == 1.0
    assert architecture.predict(nets, batch)["label"].tolist() == batch["label"].tolist()


@pytest.mark.parametrize("width", [2, 4, 8, 12, 64])
def test_a_norm_of_groups_leaves_something_of_a_vector(width: int) -> None:
    torch.manual_seed(0)
    made = norm("group", width)(torch.randn(1, width))
    assert made.abs().min() > 0
    assert width < 4 or made.abs().unique().numel() > 2


@pytest.mark.parametrize(
    ("channels", "sides"), [(8, (1, 1)), (4, (1, 2)), (1, (2, 2)), (2, (1, 1))]
)
def test_a_norm_of_groups_leaves_something_of_a_few_pixels(channels: int, sides: tuple[int, ...]):
    torch.manual_seed(0)
    made = norm("group", channels, sides)(torch.randn(1, channels, *sides))
    assert made.abs().min() > 0


@pytest.mark.parametrize("sides", [(), (1, 1)])
def test_a_norm_of_groups_of_one_number_is_refused(sides: tuple[int, ...]):
    with pytest.raises(UserError, match="always 0"):
        norm("group", 1, sides)
