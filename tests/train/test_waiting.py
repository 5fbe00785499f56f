"""Between two reports nothing waits for the device.

The device here is torch's `meta`, whose tensors have no values: whoever asks for one, or for a
shape that depends on one, gets an error. Copies from main memory have to be such as a GPU makes by
itself.
"""

from pathlib import Path
from typing import Any

import pytest
import torch
import torch.distributed as dist
from torch.utils._python_dispatch import TorchDispatchMode

from hpc_dl.data import dataset
from hpc_dl.data.transforms.augment import Augmentation
from hpc_dl.jobspec.architectures import ZOO
from hpc_dl.train import build, cuda_graph, global_mean, gradient_sync
from hpc_dl.train.distribute import trained_players
from hpc_dl.train.world import World
from tests.support.every_architecture import JOBS, engine_of

aten = torch.ops.aten
META = torch.device("meta")


class NeverWaiting(TorchDispatchMode):
    """Raises for a copy to the device that the host would have to wait for."""

    def __torch_dispatch__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: Any = None
    ) -> Any:
        kwargs = kwargs or {}
        if func is aten._to_copy.default:
            there, waits = kwargs.get("device"), not kwargs.get("non_blocking")
            assert not (args[0].device != there == META and waits), "a copy that is waited for"
        if func is aten.copy_.default:
            waits = len(args) < 3 or not args[2]
            assert args[0].device == args[1].device or not waits, "a copy that is waited for"
        return func(*args, **kwargs)


class Accelerator:
    """What accelerate does: it takes a network to the device."""

    scaler = None

    def __init__(self, *_: object) -> None: ...

    def prepare_model(self, network: Any, **_: object) -> Any:
        return network.to(META)


class Readback:
    """The loss as it comes from the device later, by a copy of its own."""

    def __init__(self, numbers: torch.Tensor) -> None:
        assert numbers.device == META
        self.shape = numbers.shape

    def read(self) -> torch.Tensor:
        return torch.ones(self.shape)


@pytest.fixture(autouse=True)
def on_the_device(monkeypatch: pytest.MonkeyPatch) -> None:
    """Everything is there, with what torch has for it."""

    def optimizer(_: object, network: torch.nn.Module, *rest: object) -> torch.optim.Optimizer:
        moving = [{"params": [it for it in network.parameters() if it.requires_grad]}]
        return torch.optim.AdamW(moving, foreach=False)

    monkeypatch.setattr(build, "accelerator", Accelerator)
    monkeypatch.setattr(build.optim, "optimizer", optimizer)
    monkeypatch.setattr(global_mean, "Readback", Readback)
    on_the_cpu = lambda options, kind, *_: Augmentation(options, kind, torch.device("cpu"))  # noqa: E731
    monkeypatch.setattr(build, "augmentation", on_the_cpu)  # `meta` has no generators


@pytest.fixture(scope="module")
def code(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("waiting")


def test_the_tests_cover_every_architecture():
    assert {name.partition(",")[0].partition(":")[0] for name in JOBS} >= set(ZOO)


@pytest.mark.parametrize("name", JOBS)
def test_no_step_waits_for_the_device(name, code):
    engine, batches = engine_of(name, code, World(0, 1, META))
    with NeverWaiting():
        for _, micro_batches in zip(range(2), batches.steps(0), strict=False):
            engine.train_step(micro_batches, batches.dummy_batch, report=True)
    assert engine.step > 0
    if engine.carry is None:  # so that a CUDA graph repeats the step as it is
        with cuda_graph.on_the_device(META):
            for player in trained_players(engine):
                engine.architecture.loss(engine.nets, micro_batches[0], player)


@pytest.mark.parametrize("name", ["cnn", "ffnn, accumulated", "gan", "gnn, graphs"])
def test_no_step_of_several_ranks_waits_for_the_device(name, code, monkeypatch):
    """Of networks that are not DDP's, which waits for nothing; the other ranks are silent."""
    monkeypatch.setattr(dist, "all_reduce", lambda *_, **__: None)
    monkeypatch.setattr(dist, "broadcast", lambda *_, **__: None)
    engine, batches = engine_of(name, code, World(0, 2, META))
    engine.gradient_averaging = gradient_sync.GradientAveraging(engine.world)
    with NeverWaiting():
        micro_batches = next(batches.steps(0))
        engine.train_step([*micro_batches, None], batches.dummy_batch, report=False)
    assert engine.step == 1


def test_copies_to_a_gpu_are_from_pinned_memory(monkeypatch):
    """Else the copy waits, whatever is asked for."""
    seen = []
    monkeypatch.setattr(torch.Tensor, "pin_memory", lambda it: seen.append("pinned") or it)
    monkeypatch.setattr(torch.Tensor, "to", lambda it, _, **how: seen.append(how) or it)
    dataset.to_device(torch.zeros(1), torch.device("cuda"))
    assert seen == ["pinned", {"non_blocking": True}]
