"""Learning rates are functions of the step."""

import pytest
import torch
from torch import nn

from hpc_dl.spec.job import SGD, Adam, AdamW, Constant, Cosine, Linear, StepDown
from hpc_dl.train import optim


def rate(spec, steps=100, steps_per_epoch=10):
    return optim.learning_rate(spec, 1.0, steps, steps_per_epoch)


def test_the_warm_up_rises_linearly_and_reaches_the_peak():
    rises = rate(Constant(name="constant", warmup_steps=4))
    assert [rises(step) for step in range(6)] == [0.25, 0.5, 0.75, 1.0, 1.0, 1.0]


def test_cosine_goes_through_half_of_the_peak_and_ends_at_its_share():
    falls = rate(Cosine(name="cosine", final=0.1))
    assert falls(0) == 1.0
    assert falls(50) == pytest.approx(0.55)
    assert falls(100) == pytest.approx(0.1)


def test_linear_falls_evenly():
    falls = rate(Linear(name="linear", warmup_steps=20))
    assert falls(20) == 1.0
    assert falls(60) == pytest.approx(0.5)
    assert falls(100) == pytest.approx(0.0)


def test_step_multiplies_by_the_factor_at_whole_epochs():
    falls = rate(StepDown(name="step", every_epochs=2, factor=0.5))
    assert [falls(step) for step in (0, 19, 20, 39, 40)] == [1.0, 1.0, 0.5, 0.5, 0.25]


def test_torchs_schedulers_give_the_same_rates():
    optimizer = torch.optim.SGD([nn.Parameter(torch.zeros(1))], lr=1.0)
    theirs = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, 100)
    ours = rate(Cosine(name="cosine"))
    for step in range(100):
        assert ours(step) == pytest.approx(optimizer.param_groups[0]["lr"], abs=1e-9)
        optimizer.step()
        theirs.step()


@pytest.mark.parametrize(
    "spec, kind",
    [
        (SGD(name="sgd", lr=0.2), torch.optim.SGD),
        (Adam(name="adam", lr=0.2), torch.optim.Adam),
        (AdamW(name="adamw", lr=0.2), torch.optim.AdamW),
    ],
)
def test_frozen_parameters_are_left_out(spec, kind):
    network = nn.Linear(2, 2)
    network.bias.requires_grad_(requires_grad=False)
    optimizer = optim.optimizer(spec, network)
    assert type(optimizer) is kind
    assert [len(group["params"]) for group in optimizer.param_groups] == [1]
