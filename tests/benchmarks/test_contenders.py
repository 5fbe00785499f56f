"""The contenders of a benchmark train the same."""

import pytest
import torch

from benchmarks import frameworks, hand
from benchmarks.problem import Problem
from benchmarks.race import PACKAGES, contenders_of
from benchmarks.workloads import CONTENDERS, HPCDL, WORKLOADS
from hpc_dl.jobspec.train import Train

STEPS = 6


class Recorded(Exception):
    """Enough steps were taken."""


class Recorder:
    """A pace that keeps the losses, and ends the loop."""

    def __init__(self):
        self.losses = []

    def step(self, loss):
        self.losses.append(loss.item())
        if len(self.losses) == STEPS:
            raise Recorded


@pytest.fixture
def problem():
    torch.manual_seed(0)
    widths = [(32, 784), (32,), (32, 32), (32,), (10, 32), (10,)]
    return Problem(
        workload="small",
        batch=16,
        options=Train(steps=1).model_dump(),
        examples={
            "image": torch.randint(0, 256, (40, 1, 28, 28), dtype=torch.uint8),
            "label": torch.randint(0, 10, (40,)),
        },
        files=[],
        outputs=10,
        count=40,
        seeds=list(range(STEPS)),
        weights={"model": [0.1 * torch.randn(it) for it in widths]},
    )


def losses(loop, problem):
    recorder = Recorder()
    with pytest.raises(Recorded):
        loop(problem, recorder)
    return recorder.losses


@pytest.mark.parametrize("name", ["workshop", "accelerate", "fabric", "lightning", "transformers"])
def test_a_framework_trains_what_is_trained_by_hand(name, problem):
    if name in PACKAGES:
        pytest.importorskip(PACKAGES[name], reason=f"{PACKAGES[name]}: pip install '.[bench]'")
    found = losses(getattr(frameworks, name), problem)
    assert found == pytest.approx(losses(hand.train, problem), rel=1e-5)


def test_a_race_leaves_out_whose_package_is_missing(monkeypatch):
    monkeypatch.setattr("importlib.util.find_spec", lambda _: None)
    left = contenders_of(WORKLOADS[0])
    assert set(CONTENDERS) - set(left) == set(PACKAGES)
    assert HPCDL in left
