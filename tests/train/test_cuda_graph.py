"""A step that is replayed from a CUDA graph gives the bits of an eager one, or is not replayed.

There is no GPU here. In the place of torch's capture stands one that does on the CPU what a graph
does: it reads its batch, and writes losses and gradients, at the same places each time.
"""

from typing import Any

import pytest
import torch

from hpc_dl.train import cuda_graph
from tests.support import steps

REPLAYED: list[int] = []


@pytest.fixture(autouse=True)
def capture_on_the_cpu(monkeypatch: pytest.MonkeyPatch) -> None:
    REPLAYED.clear()
    monkeypatch.setattr(torch.cuda, "make_graphed_callables", captured)


def captured(module: Any, places: tuple[torch.Tensor, ...], allow_unused_input: bool) -> Any:
    """What `torch.cuda.make_graphed_callables` does, of a module."""
    assert allow_unused_input, "a step may leave parameters without a gradient"
    forward, parameters = module.forward, tuple(module.parameters())
    trained = [it for it in parameters if it.requires_grad]
    for _ in range(3):  # to warm up: statistics and random numbers move on
        torch.autograd.grad(forward(*places)[0], trained, allow_unused=True)
    outputs = forward(*places)
    written = [it.detach().clone() for it in outputs]
    gradients = [
        None if it is None else torch.empty_like(it)
        for it in torch.autograd.grad(outputs[0], trained, allow_unused=True)
    ]

    class Replay(torch.autograd.Function):
        @staticmethod
        def forward(ctx: Any, *given: torch.Tensor) -> Any:
            REPLAYED.append(1)
            for place, it in zip(places, given, strict=False):
                place.copy_(it)
            with torch.enable_grad():
                ctx.outputs = forward(*places)
            for place, it in zip(written, ctx.outputs, strict=True):
                place.copy_(it.detach())
            return tuple(it.detach() for it in written)

        @staticmethod
        def backward(ctx: Any, *given: torch.Tensor) -> Any:
            found = torch.autograd.grad(ctx.outputs[0], trained, given[0], allow_unused=True)
            for place, it in zip(gradients, found, strict=True):
                if place is not None:
                    place.copy_(it)
            of_trained = iter(gradients)
            padded = [next(of_trained) if it.requires_grad else None for it in parameters]
            return (*[None] * len(places), *(it if it is None else it.detach() for it in padded))

    module.forward = lambda *given: Replay.apply(*given, *parameters)
    return module


FFNN: dict[str, Any] = {"model": {"name": "ffnn", "hidden": [8]}}
BATCH = 600
"""Of 1437 digits: two whole batches an epoch, and one that is smaller."""
JOBS: dict[str, dict[str, Any]] = {
    "dropout, clipped, by adam": {
        "model": {"name": "ffnn", "hidden": [16], "dropout": 0.5},
        "train": {"clip_norm": 0.5, "optimizer": {"name": "adam", "lr": 0.01}},
    },
    "batch norm, averaged, by sgd": {
        "model": {"name": "cnn", "channels": [4], "norm": "batch"},
        "train": {"ema_decay": 0.9, "optimizer": {"name": "sgd", "lr": 0.1, "momentum": 0.9}},
    },
    "two players, a gradient in the loss": {
        "model": {"name": "gan", "channels": [4], "latent_dim": 4, "loss": "wasserstein-gp"}
    },
    "noise, and two losses": {"model": {"name": "vae", "channels": [4], "hidden": [8]}},
}


def engine_of(job: dict[str, Any], folder: Any) -> tuple[Any, Any]:
    data = {"name": "digits", "batch_size": BATCH}
    return steps.engine_of(steps.job(data=data, **job), folder)


def take(engine: Any, batches: Any, numbers: range) -> list[dict[str, float]]:
    """Take steps by their numbers, and report after each second one."""
    reports = []
    for number in numbers:
        skipped = engine.train_step(batches.of_step(number), batches.dummy_batch, number % 2 == 1)
        assert skipped is None
        if number % 2:
            reports.append(engine.report())
    return reports


@pytest.mark.parametrize("job", JOBS.values(), ids=JOBS)
def test_replayed_steps_have_the_bits_of_eager_ones_also_after_a_resume(job, tmp_path):
    eager, batches = engine_of(job, tmp_path)
    expected = take(eager, batches, range(6))
    first, _ = engine_of(job, tmp_path)
    assert cuda_graph.capture(first, batches, 3) is None
    REPLAYED.clear()
    found = take(first, batches, range(3))
    assert len(REPLAYED) == 2 * len(first.players), "all steps but the short one"
    resumed, _ = engine_of(job, tmp_path)
    assert cuda_graph.capture(resumed, batches, 3) is None
    resumed.load(first.state())
    found += take(resumed, batches, range(3, 6))
    assert found == expected
    torch.testing.assert_close(resumed.state(), eager.state(), rtol=0, atol=0)


def test_a_step_that_would_repeat_a_decision_of_the_host_stays_eager(tmp_path, monkeypatch):
    engine, batches = engine_of(FFNN, tmp_path)
    sound, calls = engine.architecture.loss, []

    def counting(nets, batch, player):
        calls.append(1)
        loss = sound(nets, batch, player)
        return type(loss)(loss.total * len(calls), loss.count, loss.logs)

    monkeypatch.setattr(engine.architecture, "loss", counting)
    why = cuda_graph.capture(engine, batches, 3)
    assert "depends on more than its batch" in why
    assert engine.replayed_loss is None


def test_batches_of_differing_shape_are_not_captured(tmp_path):
    engine, batches = engine_of(FFNN, tmp_path)
    assert cuda_graph.capture(engine, batches, 2) == "batches differ in shape"


def test_a_step_that_reads_main_memory_is_not_captured():
    """It would be read again at each replay, when it may hold something else."""
    there, here = torch.zeros(2, device="meta"), torch.zeros(2)
    with cuda_graph.on_the_device(there.device):
        there + 1
        torch.zeros(2, device="meta") * 0.5
        here * 2  # is of no use to the device
        for reads in (
            lambda: here.to("meta", non_blocking=True),
            lambda: there.copy_(here, non_blocking=True),
            lambda: there * here[0],
        ):
            with pytest.raises(cuda_graph.CannotCapture, match="reads main memory"):
                reads()


def test_without_a_capture_the_training_goes_on_eagerly(tmp_path, monkeypatch):
    def fail(*_: object, **__: object) -> None:
        raise RuntimeError("operation not permitted when stream is capturing\nand more")

    monkeypatch.setattr(torch.cuda, "make_graphed_callables", fail)
    engine, batches = engine_of(JOBS["batch norm, averaged, by sgd"], tmp_path)
    before = [it.clone() for it in engine.nets["model"].buffers()]
    why = cuda_graph.capture(engine, batches, 3)
    assert why == "operation not permitted when stream is capturing"
    assert all(map(torch.equal, before, engine.nets["model"].buffers()))
    take(engine, batches, range(1))
