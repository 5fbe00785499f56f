"""Learning rates are functions of the step; optimizers may have to skip a step."""

from pathlib import Path

import pytest
import torch
from torch import nn

from hpc_dl.jobspec.fields import models, names_of
from hpc_dl.jobspec.optimizers import (
    SGD,
    Adam,
    AdamW,
    Muon,
    TorchOptimizer,
    UserOptimizer,
)
from hpc_dl.jobspec.schedules import Constant, Cosine, Linear, StepDown, TorchSchedule
from hpc_dl.jobspec.train import Train
from hpc_dl.train import optim, schedules

CODE = Path()
"""Of optimizers and schedules that are no user's."""


def rate(spec, steps=100, steps_per_epoch=10):
    return schedules.learning_rate(spec, 1.0, steps, steps_per_epoch, CODE)


def test_the_warm_up_rises_linearly_to_the_peak():
    rises = rate(Constant(name="constant", warmup_steps=4))
    assert [rises(step) for step in range(6)] == [0.25, 0.5, 0.75, 1.0, 1.0, 1.0]


def test_cosine_is_at_half_in_the_middle_and_ends_at_its_final_rate():
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


def test_a_schedule_of_torch_has_its_rates_wherever_one_begins():
    spec = TorchSchedule.model_validate(
        {"name": "OneCycleLR", "warmup_steps": 10, "pct_start": 0.4}
    )
    optimizer = torch.optim.SGD([nn.Parameter(torch.zeros(1))], lr=1.0)
    theirs = torch.optim.lr_scheduler.OneCycleLR(
        optimizer, 1.0, 90, pct_start=0.4, cycle_momentum=False
    )
    expected = []
    for _ in range(90):
        expected.append(optimizer.param_groups[0]["lr"])
        optimizer.step()
        theirs.step()
    assert rate(spec)(57) == expected[47]
    through = rate(spec)
    assert [through(step) for step in range(10, 100)] == expected
    assert through(4) == 0.5


def test_every_optimizer_and_schedule_of_torch_can_be_named():
    others = {"optimizer", "adam", "adamw", "sgd", "muon", "lbfgs", "sparseadam"}
    theirs = {name.lower() for name in torch.optim.__all__ if name[0].isupper()}
    assert set(names_of(TorchOptimizer)) == theirs - others
    of_functions = {"LambdaLR", "MultiplicativeLR", "SequentialLR", "ChainedScheduler"}
    of_metrics = {"ReduceLROnPlateau", "LRScheduler"}
    every = set(torch.optim.lr_scheduler.__all__)
    assert set(names_of(TorchSchedule)) == every - of_functions - of_metrics


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
    optimizer = optim.optimizer(spec, network, CODE)
    assert type(optimizer) is kind
    assert [len(group["params"]) for group in optimizer.param_groups] == [1]


SPECS = [
    SGD(name="sgd", lr=0.2),
    SGD(name="sgd", lr=0.2, momentum=0.0, nesterov=False),
    Adam(name="adam", lr=0.2),
    AdamW(name="adamw", lr=0.2),
    Muon(name="muon", lr=0.2),
    TorchOptimizer(name="rmsprop", lr=0.2),
]


@pytest.fixture
def uninitialised_memory_is_nan():
    """What torch allocates without writing it shows."""
    torch.use_deterministic_algorithms(True)
    yield
    torch.use_deterministic_algorithms(False)


def after_steps(spec, gradients, *, forget=False):
    """The weights after a step with each of the gradients, of which fp16 skips the infinite."""
    network = nn.ModuleList(nn.Linear(2, 1, bias=False) for _ in range(3))
    weight = network[1].weight  # of a hidden layer, and so Muon's
    nn.init.ones_(weight)
    optimizer, scaler = (
        optim.optimizer(spec, network, CODE),
        torch.amp.GradScaler("cpu", init_scale=2.0),
    )
    if forget:
        state = optimizer.state_dict() | {"state": {}}
        optimizer.load_state_dict(state)
    for gradient in gradients:
        for group in optimizer.param_groups:
            group["lr"] = 0.1
        scaler.scale(torch.zeros(()))
        for parameter in network.parameters():
            parameter.grad = torch.full_like(parameter, gradient * scaler.get_scale())
        scaler.step(optimizer)
        scaler.update()
    return weight.detach()


def test_the_tests_cover_every_optimizer():
    assert {type(spec) for spec in SPECS} == set(models(Train, "optimizer")) - {UserOptimizer}


@pytest.mark.parametrize("forget", [False, True])
@pytest.mark.parametrize("spec", SPECS, ids=str)
def test_a_skipped_first_step_changes_nothing(spec, forget, uninitialised_memory_is_nan):
    """Also where the state that was loaded is that of an optimizer that has not stepped."""
    skipped = after_steps(spec, [torch.inf, 0.5, 0.25], forget=forget)
    assert torch.equal(skipped, after_steps(spec, [0.5, 0.25]))


def test_momentum_that_starts_at_zero_is_torchs():
    ours = after_steps(SPECS[0], [0.5, 0.25, 0.125])
    weight = nn.Parameter(torch.ones(1, 2))
    momentum, nesterov = SPECS[0].momentum, SPECS[0].nesterov
    theirs = torch.optim.SGD([weight], lr=0.1, momentum=momentum, nesterov=nesterov)
    for gradient in (0.5, 0.25, 0.125):
        weight.grad = torch.full_like(weight, gradient)
        theirs.step()
    assert torch.equal(ours, weight.detach())
