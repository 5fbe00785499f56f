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

from hpc_dl.data import geometric
from hpc_dl.data.augment import Augmentation
from hpc_dl.data.split import Splits, divide
from hpc_dl.spec.models import ZOO
from hpc_dl.train import build, global_mean, gradients
from hpc_dl.train.world import World
from tests import steps
from tests.pictures import folder_of_pictures

aten = torch.ops.aten
META = torch.device("meta")
KARATE = {"name": "karate"}
GRAPHS = {"name": "karate", "batch_size": 9}
"""Stands for many graphs in the place of one."""
JOBS: dict[str, dict[str, Any]] = {
    "autoencoder": {"model": {"hidden": [8], "channels": [4]}},
    "autoencoder, salt": {
        "model": {"hidden": [8], "use": "denoise", "noise": "salt_and_pepper"},
    },
    "cnn": {"model": {"channels": [4], "norm": "batch"}, "train": {"average": 0.9}},
    "cnn, mixup": {
        "model": {"channels": [4]},
        "data": {"augment": {"crop": 1, "flip": True, "rotation": 9, "noise": 0.1, "mixup": 0.2}},
        "train": {"class_weights": "balanced", "label_smoothing": 0.1},
    },
    "cnn, streamed": {"model": {"channels": [4]}, "data": "pictures"},
    "diffusion": {"model": {"width": 8, "blocks": 1, "steps": 10, "sampling_steps": 2}},
    "ffnn": {"model": {"hidden": [8], "dropout": 0.5}, "train": {"clip_norm": 1.0}},
    "ffnn, accumulated": {"model": {"hidden": [8]}, "train": {"micro_batch": 4}},
    "gan": {"model": {"channels": [4], "latent_dim": 4}},
    "gan, penalty": {"model": {"channels": [4], "latent_dim": 4, "loss": "wasserstein-gp"}},
    "gnn": {"model": {"hidden": 8}, "data": KARATE},
    "gnn, gat": {"model": {"hidden": 8, "layer": "gat"}, "data": KARATE},
    "gnn, sage": {"model": {"hidden": 8, "layer": "sage"}, "data": KARATE},
    "gnn, graphs": {"model": {"hidden": 8}, "data": GRAPHS},
    "gnn, graphs, gat": {"model": {"hidden": 8, "layer": "gat"}, "data": GRAPHS},
    "gnn, graphs, gin": {"model": {"hidden": 8, "layer": "gin", "pooling": "max"}, "data": GRAPHS},
    "lstm": {"model": {"hidden": 8, "layers": 2, "dropout": 0.5}},
    "resnet": {"model": {"width": 4}},
    "rnn": {"model": {"hidden": 8}},
    "torchvision:shufflenet_v2_x0_5": {"model": {"size": 32}},
    "transformer": {"model": {"width": 8, "depth": 1, "heads": 2}},
    "vae": {"model": {"hidden": [8], "channels": [4], "conditional": True}},
}
"""By the name of the architecture, and what is special."""


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
        self.count = len(numbers)

    def read(self) -> list[float]:
        return [1.0] * self.count


@pytest.fixture(autouse=True)
def on_the_device(monkeypatch: pytest.MonkeyPatch) -> None:
    """Everything is there, with what torch has for it."""

    def optimizer(_: object, network: torch.nn.Module) -> torch.optim.Optimizer:
        moving = [{"params": [it for it in network.parameters() if it.requires_grad]}]
        return torch.optim.AdamW(moving, foreach=False)

    monkeypatch.setattr(build, "accelerator", Accelerator)
    monkeypatch.setattr(build.optim, "optimizer", optimizer)
    monkeypatch.setattr(global_mean, "Readback", Readback)
    on_the_cpu = lambda options, kind, _: Augmentation(options, kind, torch.device("cpu"))  # noqa: E731
    monkeypatch.setattr(build, "Augmentation", on_the_cpu)  # `meta` has no generators


@pytest.fixture(scope="module")
def code(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("waiting")


def graphs() -> Splits:
    """Graphs of all sizes, with a class each, and a node that is its own neighbour."""
    from torch_geometric.data import Data

    edge = torch.tensor([[0, 1, 2, 0], [1, 2, 0, 0]])
    made = [
        Data(x=torch.rand(count, 34), edge_index=edge, y=torch.tensor([count % 4]))
        for count in range(3, 33)
    ]
    facts, given = geometric.of(made, "graphs")
    return divide(given, facts, 0)


def engine_of(name: str, code: Path, ranks: int = 1) -> tuple[Any, Any]:
    """The first rank's engine, built from data in main memory, and batches on the device."""
    job = JOBS[name]
    model, data = {"name": name.partition(",")[0], **job["model"]}, job.get("data", {})
    if data == "pictures":
        root = folder_of_pictures(code / name, 40)
        data = {"name": "image_folder", "root": str(root), "size": [8, 8]}
    spec = steps.job(model=model, data=data, train=job.get("train", {}))
    _, plan, splits, _, _ = steps.surroundings(spec, code)
    splits = graphs() if data is GRAPHS else splits
    world = World(0, ranks, META)
    engine = build.build_engine(spec, plan, splits, world, code, lambda _: steps.RATE, lambda: 0)
    return engine, build.build_batches(spec, plan, splits.to(META), world)


def test_every_architecture_is_tried():
    assert {name.partition(",")[0].partition(":")[0] for name in JOBS} >= set(ZOO)


@pytest.mark.parametrize("name", JOBS)
def test_no_step_waits_for_the_device(name, code):
    engine, batches = engine_of(name, code)
    with NeverWaiting():
        for _, micro_batches in zip(range(2), batches.steps(0), strict=False):
            engine.play(micro_batches, batches.filler, report=False)
    assert engine.step > 0


@pytest.mark.parametrize("name", ["cnn", "ffnn, accumulated", "gan", "gnn, graphs"])
def test_no_step_of_several_ranks_waits_for_the_device(name, code, monkeypatch):
    """Of networks that are not DDP's, which waits for nothing; the other ranks are silent."""
    monkeypatch.setattr(dist, "all_reduce", lambda *_, **__: None)
    monkeypatch.setattr(dist, "broadcast", lambda *_, **__: None)
    engine, batches = engine_of(name, code, ranks=2)
    engine._averaging = gradients.Averaging(engine.world)
    with NeverWaiting():
        micro_batches = next(batches.steps(0))
        engine.play([*micro_batches, None], batches.filler, report=False)
    assert engine.step == 1
