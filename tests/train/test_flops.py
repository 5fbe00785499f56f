"""Model FLOPs, counted, against formulas by hand; what cannot be counted is not reported."""

from itertools import pairwise
from types import SimpleNamespace

import pytest
import torch
from torch import nn
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.nn.functional import scaled_dot_product_attention

from hpc_dl.jobspec.train import Train
from hpc_dl.train import flop_rate, flops
from hpc_dl.train.flop_rate import FlopRate
from hpc_dl.train.flops import FlopCounter, Flops
from hpc_dl.train.loop import Reported
from hpc_dl.train.world import World
from hpc_dl.usage import peak_flops
from hpc_dl.usage.flop_rate import MFU, RATE, readable
from tests.support import steps
from tests.support.every_architecture import engine_of

H100 = "NVIDIA H100 80GB HBM3"


def counted(name, folder):
    engine, batches = engine_of(name, folder, World(0, 1, torch.device("cpu")))
    return flops.of_example(engine, batches)


def dense(*widths):
    """Forward and backward pass of dense layers, the first of which needs no gradient of its
    input."""
    return 2 * sum(3 * a * b for a, b in pairwise(widths)) - 2 * widths[0] * widths[1]


def convolution(side, fan_in, fan_out, kernel=3):
    """Forward pass of a convolution, by the side of its output."""
    return 2 * side**2 * kernel**2 * fan_in * fan_out


def test_a_dense_network(tmp_path):
    assert counted("ffnn", tmp_path)["model"] == Flops(0, dense(64, 8, 10))


def test_a_convolutional_network(tmp_path):
    engine, batches = engine_of("cnn", tmp_path, World(0, 1, torch.device("cpu")))
    hidden = engine.architecture.options.hidden
    found = flops.of_example(engine, batches)["model"]
    of_inputs = 2 * (4 * 4 * 4) * hidden[0]  # the dense layers are not the first ones
    assert found == Flops(2 * convolution(8, 1, 4), dense(4 * 4 * 4, *hidden, 10) + of_inputs)


def test_a_residual_network(tmp_path):
    engine, batches = engine_of("resnet", tmp_path, World(0, 1, torch.device("cpu")))
    blocks = (engine.architecture.options.depth - 2) // 6
    forward = sum(
        (2 * blocks - 1) * convolution(side, width, width) + convolution(side, before, width)
        for side, before, width in ((8, 4, 4), (4, 4, 8), (2, 8, 16))
    )
    forward += convolution(4, 4, 8, kernel=1) + convolution(2, 8, 16, kernel=1)
    found = flops.of_example(engine, batches)["model"]
    assert found == Flops(2 * convolution(8, 1, 4) + 3 * forward, 3 * 2 * 16 * 10)


def test_a_causal_transformer_has_the_flops_of_palm(tmp_path):
    """6 for each weight and token, and 12 L H Q T for the attention of each token."""
    engine, batches = engine_of("transformer, text", tmp_path, World(0, 1, torch.device("cpu")))
    length, width, depth = 9, 8, 1
    weights = sum(
        layer.weight.numel()
        for name, layer in engine.unwrapped["model"].named_modules()
        if isinstance(layer, nn.Linear)
    )
    weights += 3 * width * width  # queries, keys and values, which are no layer of their own
    expected = length * (6 * weights + 12 * depth * width * length)
    assert flops.of_example(engine, batches)["model"] == Flops(0, expected)


@pytest.mark.parametrize("backend", [SDPBackend.MATH, SDPBackend.FLASH_ATTENTION])
def test_attention_has_the_same_flops_whatever_the_kernel(backend):
    query, key, value = (torch.rand(2, 3, 16, 8, requires_grad=True) for _ in range(3))
    with FlopCounter() as counter, sdpa_kernel(backend):
        scaled_dot_product_attention(query, key, value, is_causal=True).sum().backward()
    assert not counter.unknown
    assert counter.products == 3 * (2 * 2 * 2 * 3 * 16 * 16 * 8)


def test_a_grouped_convolution_has_the_flops_of_its_groups():
    image = torch.rand(2, 8, 6, 6, requires_grad=True)
    with FlopCounter() as counter:
        nn.Conv2d(8, 16, 3, padding=1, groups=4)(image).sum().backward()
    assert counter.convolutions == 3 * 2 * convolution(6, 2, 16)


def test_a_game_has_the_flops_of_each_player(tmp_path):
    found = counted("gan", tmp_path)
    assert all(found[name].convolutions > 0 for name in ("critic", "generator"))


@pytest.mark.parametrize(
    ("name", "why"), [("lstm", "rnn"), ("lstm, tags", "the examples differ in length")]
)
def test_what_is_not_counted_is_refused(name, why, tmp_path):
    with pytest.raises(flops.NotCounted, match=why):
        counted(name, tmp_path)


def test_graphs_are_refused():
    facts = SimpleNamespace(modality="graph")
    engine = SimpleNamespace(architecture=SimpleNamespace(facts=facts))
    with pytest.raises(flops.NotCounted, match="graphs differ in size"):
        flops.of_example(engine, None)


@pytest.mark.parametrize(
    "model",
    [
        {"name": "cnn", "channels": [4], "norm": "batch", "dropout": 0.5},
        {"name": "gan", "channels": [4], "latent_dim": 4},
    ],
    ids=lambda it: it["name"],
)
def test_counting_changes_no_bit_of_the_training(model, tmp_path):
    spec, found = steps.job(model=model), []
    for counts in (False, True):
        engine, batches = steps.engine_of(spec, tmp_path)
        if counts:
            assert flops.of_example(engine, batches)
        losses = steps.losses_of(engine, batches)
        weights = [it for net in engine.nets.values() for it in net.state_dict().values()]
        found.append((losses, weights))
    (losses, weights), (other_losses, other_weights) = found
    assert losses == other_losses
    assert all(map(torch.equal, weights, other_weights))


def test_the_rate_is_that_of_the_updates_of_the_steps():
    of_example = {"critic": Flops(100, 10), "generator": Flops(40, 0)}

    def updates(step):
        return ("critic", "generator") if step % 2 else ("critic",)

    report = Reported(2, 6, 0, {"train/examples_per_second": 5.0})
    rate = FlopRate(of_example, updates, Flops(1000, 500))
    per_example = Flops(100 + 40 / 2, 10)
    found = rate.metrics(report)
    assert found[RATE] == pytest.approx(5 * 130)
    assert found[MFU] == pytest.approx(
        100 * 5 * (per_example.convolutions / 1000 + per_example.products / 500)
    )
    assert FlopRate(of_example, updates, None).metrics(report).keys() == {RATE}
    assert FlopRate({}, updates, None).metrics(report) == {}


@pytest.mark.parametrize(
    ("options", "convolutions", "products"),
    [
        ({}, 494.5e12, 67e12),
        ({"tf32": True}, 494.5e12, 494.5e12),
        ({"tf32": False}, 67e12, 67e12),
        ({"precision": "bf16"}, 989.5e12, 989.5e12),
    ],
)
def test_the_peak_is_that_of_the_precision_that_torch_computes_in(options, convolutions, products):
    asked = Train.model_validate({"epochs": 1, **options})
    assert flop_rate.peak_of(H100, asked) == Flops(convolutions, products)


@pytest.mark.parametrize("name", peak_flops.PEAKS)
def test_no_rate_with_sparsity_is_among_the_others(name):
    """It is twice as high: TF32 has half of the rate of bf16, which is that of fp16, if any."""
    peak = peak_flops.PEAKS[name]
    assert peak.bf16 in (None, peak.fp16)
    assert peak.fp32 < peak.fp16
    assert peak.tf32 is None or peak.tf32 == pytest.approx(peak.fp16 / 2, rel=0.02)


@pytest.mark.parametrize(
    "name", ["NVIDIA A10G", f"{H100} MIG 1g.10gb", "NVIDIA GeForce RTX 4090 Laptop GPU"]
)
def test_the_peak_of_another_gpu_is_not_guessed(name):
    assert peak_flops.find(name, "bf16") is None


def test_a_gpu_without_bf16_has_no_peak_of_it_and_computes_tf32_in_fp32():
    assert peak_flops.find("Tesla T4", "bf16") is None
    assert peak_flops.find("Tesla T4", "tf32") == 8.1e12


@pytest.mark.parametrize(
    ("gpu", "told", "has_mfu"),
    [
        (H100, f"MFU is the share in 990 TFLOP/s of a {H100}", True),
        ("Other", "hpcdl does not know the peak FLOP/s of Other in bf16", False),
    ],
)
def test_what_mfu_is_of_is_told(gpu, told, has_mfu, monkeypatch):
    monkeypatch.setattr(torch.cuda, "get_device_name", lambda device: gpu)
    monkeypatch.setattr(flops, "of_example", lambda *_: {"model": Flops(2e9, 0)})
    architecture = SimpleNamespace(updates=lambda step: ("model",))
    world = SimpleNamespace(device=torch.device("cuda", 0), size=4)
    engine = SimpleNamespace(architecture=architecture, world=world)
    options = Train.model_validate({"epochs": 1, "precision": "bf16"})
    rate, text = flop_rate.of_training(engine, None, options)
    assert text.startswith("model FLOPs of an example: 2 GFLOPs; ")
    assert told in text
    found = rate.metrics(Reported(0, 1, 0, {"train/examples_per_second": 1e3}))
    assert found[RATE] == pytest.approx(2e12)
    assert found.get(MFU) == (pytest.approx(100 * 2e12 / (4 * 989.5e12)) if has_mfu else None)


def test_flops_are_readable():
    assert [readable(it) for it in (12, 57312, 3.94e14)] == ["12 ", "57.3 k", "394 T"]
