"""Networks compute the same with the channels last in memory: in half precision on a GPU."""

import copy
from pathlib import Path
from typing import Any

import pytest
import torch

from hpc_dl.train import build
from tests.support import steps

MODELS: list[dict[str, Any]] = [
    {"name": "cnn", "channels": [4, 4], "norm": "batch"},
    {"name": "resnet", "width": 4},
    {"name": "vae", "channels": [4, 4], "hidden": [8]},
    {"name": "gan", "channels": [4, 4], "latent_dim": 4},
]


@pytest.mark.parametrize("model", MODELS, ids=[it["name"] for it in MODELS])
def test_the_layout_in_memory_changes_no_loss_and_is_kept_by_a_resume(
    model: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = []
    for last in (False, True):
        monkeypatch.setattr(build, "_channels_last", lambda *_, last=last: last)
        engine, batches = steps.engine_of(steps.job(model=model), tmp_path)
        found.append(steps.losses_of(engine, batches))
    resumed, _ = steps.engine_of(steps.job(model=model), tmp_path)
    resumed.load(engine.state())
    assert any(map(channels_are_last, weights_of(resumed)))
    assert all(map(torch.equal, weights_of(resumed), weights_of(engine)))
    for ours, theirs in zip(*found, strict=True):
        assert ours == pytest.approx(theirs, rel=1e-3)


@pytest.mark.parametrize("name", ["adamw", "sgd"])
@pytest.mark.parametrize("began, goes_on", [(True, False), (False, True)])
def test_a_run_goes_on_on_another_kind_of_device_with_its_moments(
    began: bool, goes_on: bool, name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In half precision a GPU has the channels last, and a CPU has not."""
    momentum = {"momentum": 0.9} if name == "sgd" else {}
    optimizer = {"name": name, "lr": 1e-3, **momentum}
    asked = steps.job(model=MODELS[1], train={"optimizer": optimizer})
    monkeypatch.setattr(build, "_channels_last", lambda *_: began)
    engine, batches = steps.engine_of(asked, tmp_path)
    steps.losses_of(engine, batches)
    monkeypatch.setattr(build, "_channels_last", lambda *_: goes_on)
    moved, _ = steps.engine_of(asked, tmp_path)
    moved.load(copy.deepcopy(engine.state()))
    for it in (engine, moved):
        take_step_with_made_gradients(it)
    for ours, theirs in zip(weights_of(moved), weights_of(engine), strict=True):
        torch.testing.assert_close(ours, theirs, rtol=1e-6, atol=1e-8)


def take_step_with_made_gradients(engine: Any) -> None:
    torch.manual_seed(0)
    for weight in weights_of(engine):
        weight.grad = torch.empty_like(weight).copy_(torch.randn(weight.shape))
    for player in engine.players.values():
        player.step()


def weights_of(engine: Any) -> list[torch.Tensor]:
    return [it for net in engine.unwrapped.values() for it in net.parameters()]


def channels_are_last(weight: torch.Tensor) -> bool:
    last = weight.dim() == 4 and weight.is_contiguous(memory_format=torch.channels_last)
    return last and not weight.is_contiguous()
