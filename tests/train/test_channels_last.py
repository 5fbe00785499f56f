"""Networks compute the same with the channels last in memory: in half precision on a GPU."""

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


def weights_of(engine: Any) -> list[torch.Tensor]:
    return [it for net in engine.unwrapped.values() for it in net.parameters()]


def channels_are_last(weight: torch.Tensor) -> bool:
    last = weight.dim() == 4 and weight.is_contiguous(memory_format=torch.channels_last)
    return last and not weight.is_contiguous()
