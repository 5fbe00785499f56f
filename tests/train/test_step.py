"""One step: what is differentiated is the mean over all examples, however a batch is divided."""

from typing import Any

import pytest
import torch
from accelerate.utils import convert_outputs_to_fp32

from hpc_dl.train import build
from hpc_dl.train.distribute import trained_players
from hpc_dl.train.global_mean import GlobalMean
from hpc_dl.train.optim import ShardedSGD
from hpc_dl.train.world import World
from hpc_dl.zoo.contract import Loss
from tests.support import every_architecture, ranks, steps
from tests.support.waiting import wait_until

PRECISIONS = ["fp32", "bf16", "fp16"]
ONE, TWO = {"tasks_per_node": 1}, {"tasks_per_node": 2}
DIVISIONS = {
    "1x2": (ONE, {"micro_batch": 8}),
    "2x1": (TWO, {}),
    "2x2": (TWO, {"micro_batch": 5}),
}
"""Ranks by micro-batches of a rank; of 15 examples, so that none are alike."""
JOBS: dict[str, dict[str, Any]] = {
    "ffnn": {"model": {"name": "ffnn", "hidden": [16]}},
    "weighted": {
        "model": {"name": "ffnn", "hidden": [16]},
        "train": {"class_weights": [1, 2, 3, 4, 5, 6, 7, 8, 9, 10]},
    },
    "autoencoder": {"model": {"name": "autoencoder", "hidden": [16], "channels": [4]}},
}
SYNCHRONISED: dict[str, dict[str, Any]] = {
    "synchronised": {
        "model": {"name": "cnn", "channels": [4], "norm": "batch", "dropout": 0.0},
        "train": {"sync_batch_norm": True},
    }
}


class Accelerator:
    """What accelerate does on a GPU: on the CPU it has no fp16, and one precision a process."""

    def __init__(self, precision: str) -> None:
        self.kind = torch.bfloat16 if precision == "bf16" else torch.float16
        self.scaler = torch.amp.GradScaler("cpu") if precision == "fp16" else None

    def prepare_model(self, network: Any, **_: object) -> Any:
        network.forward = convert_outputs_to_fp32(torch.autocast("cpu", self.kind)(network.forward))
        return network


def spec_of(job, resources, train):
    return steps.job(
        model=job["model"], train={**job.get("train", {}), **train}, resources=resources
    )


def losses_and_scale(world, specs, code):
    """Of each spec, the losses and the scale of fp16 that is left of 65536."""
    found = {}
    for key, spec in specs.items():
        precision = key[-1]
        with pytest.MonkeyPatch.context() as patch:
            if precision != "fp32":
                patch.setattr(build, "accelerator", lambda *_, it=precision: Accelerator(it))
            engine, batches = steps.engine_of(spec, code, world)
            losses = steps.losses_of(engine, batches)
            scale = engine.scaler.get_scale() if engine.scaler else None
            found[key] = losses, scale
    return found


@pytest.fixture(scope="session")
def code(tmp_path_factory):
    return tmp_path_factory.mktemp("steps")


@pytest.fixture(scope="session")
def divided(code):
    """Losses and scale by division, job and precision."""
    by_ranks: dict[int, dict[Any, Any]] = {1: {}, 2: {}}
    for division, (resources, train) in {"1x1": (ONE, {}), **DIVISIONS}.items():
        whole = "micro_batch" not in train  # as batch norm asks for
        for name, job in {**JOBS, **(SYNCHRONISED if whole else {})}.items():
            for precision in PRECISIONS:
                spec = spec_of(job, resources, train)
                by_ranks[resources["tasks_per_node"]][division, name, precision] = spec
    on_one = losses_and_scale(None, by_ranks[1], code)
    return on_one | ranks.call_on_all(losses_and_scale, 2, code, by_ranks[2], code)


@pytest.mark.parametrize("precision, close", [("fp32", 2e-5), ("bf16", 2e-2), ("fp16", 2e-3)])
@pytest.mark.parametrize("division", DIVISIONS)
def test_any_division_gives_the_same_losses_in_any_precision(divided, division, precision, close):
    for (how, name, of), (losses, scale) in divided.items():
        if (how, of) == (division, precision):
            whole, whole_scale = divided["1x1", name, of]
            assert scale == whole_scale, f"{name}: as many steps are skipped"
            for ours, theirs in zip(losses, whole, strict=True):
                assert ours == pytest.approx(theirs, rel=close), name


def test_fp16_overflows_in_no_division(divided):
    scales = {how: scale for how, (_, scale) in divided.items() if how[-1] == "fp16"}
    assert scales == dict.fromkeys(scales, 2.0**16)
    assert len(scales) == 14


def begun_before_the_other_rank(world, folder):
    """Whether rank 0 can go on to its backward pass while rank 1 is still in its forward pass, and
    the gradients of the mean of 3 examples on rank 0 and 1 on rank 1, averaged."""
    weight, is_ahead = torch.ones((), requires_grad=True), folder / "ahead"
    mean = GlobalMean(world, 1, 4)
    if world.rank == 1:
        wait_until(is_ahead.exists)
    value = mean.add(Loss(weight * (6.0, 2.0)[world.rank], (3, 1)[world.rank]))
    if world.rank == 0:
        is_ahead.touch()
    value.backward()
    mean.correct([weight.grad])
    return float(world.sum(weight.grad)) / world.size, mean.total()


def test_no_rank_waits_for_the_losses_of_others_before_its_backward_pass(tmp_path):
    assert ranks.call_on_all(begun_before_the_other_rank, 2, tmp_path, tmp_path) == (2.0, 8.0)


@pytest.mark.parametrize("name", every_architecture.JOBS)
def test_a_count_that_is_a_number_is_that_of_the_examples(name, code):
    """By which the ranks divide their losses before they know those of each other."""
    engine, batches = every_architecture.engine_of(name, code, World(0, 1, torch.device("cpu")))
    (batch,) = batches.of_step(0)[:1]
    for player in trained_players(engine):
        count = engine.architecture.loss(engine.nets, batch, player).count
        assert isinstance(count, torch.Tensor) or count == min(
            batches.micro_batch, len(batches.split)
        )


def mean_of(*losses):
    """The gradient that micro-batches of one rank give, and the greatest value differentiated."""
    weight = torch.ones((), requires_grad=True)
    mean = GlobalMean(World(0, 1, torch.device("cpu")), len(losses))
    seen = []
    for total, count in losses:
        value = mean.add(Loss(weight * total, count))
        value.backward()
        seen.append(float(value.detach()))
    mean.correct([weight.grad])
    return float(weight.grad), max(seen), mean.total()


@pytest.mark.parametrize(
    "losses, expected",
    [
        ([(30.0, 10)], 3.0),
        ([(30.0, 10), (30.0, 10)], 3.0),
        ([(30.0, 10), (2.0, 1)], 32 / 11),
        ([(30.0, torch.tensor(10.0)), (2.0, torch.tensor(0.5))], 32 / 10.5),
        ([(0.0, 0), (8.0, 2)], 4.0),
        ([(0.0, torch.tensor(0.0))], 0.0),
    ],
)
def test_the_gradient_is_that_of_the_total_divided_by_the_count(losses, expected):
    gradient, greatest, total = mean_of(*losses)
    assert gradient == pytest.approx(expected, rel=1e-6)
    assert greatest <= max(total for total, _ in losses)
    assert total == sum(total for total, _ in losses)


@pytest.mark.parametrize("precision", ["bf16", "fp16"])
@pytest.mark.parametrize("name", every_architecture.JOBS)
def test_every_architecture_computes_in_half_precision(name, precision, code, monkeypatch):
    if precision == "fp16" and name.startswith("lstm"):
        pytest.skip("torch has no such cells for CPUs")
    monkeypatch.setattr(build, "accelerator", lambda *_: Accelerator(precision))
    engine, batches = every_architecture.engine_of(name, code, World(0, 1, torch.device("cpu")))
    skipped = engine.train_step(batches.of_step(0), batches.dummy_batch, report=True)
    assert skipped is None
    assert all(it.isfinite().all() for net in engine.unwrapped.values() for it in net.parameters())


SGD = {"optimizer": {"name": "sgd", "momentum": 0.9, "nesterov": True, "weight_decay": 0.01}}


def shards_in_fp16(world, spec, code):
    """The losses of divided networks, and the scale; one step is skipped."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(build, "accelerator", lambda *_: Accelerator("fp16"))
        engine, batches = steps.engine_of(spec, code, world)
    engine.scaler = torch.amp.GradScaler("cpu", init_scale=2.0**40, growth_interval=100)
    engine.scaler.scale(torch.zeros(()))
    losses = steps.losses_of(engine, batches)
    engine.scaler.update(2.0**8)
    return losses + steps.losses_of(engine, batches), type(engine.players["model"].optimizer)


def test_sgd_with_fsdp_steps_and_skips_as_without(code):
    job = {"model": {"name": "ffnn", "hidden": [15]}}
    whole, kind = shards_in_fp16(None, spec_of(job, ONE, SGD), code)
    assert kind is torch.optim.SGD
    fsdp = spec_of(job, TWO, {**SGD, "strategy": "fsdp"})
    divided, kind = ranks.call_on_all(shards_in_fp16, 2, code, fsdp, code)
    assert kind is ShardedSGD
    assert divided == [pytest.approx(losses, rel=2e-3) for losses in whole]
