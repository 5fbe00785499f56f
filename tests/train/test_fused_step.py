"""The fused step has the bits of torch's own, and its state is that of torch's own."""

import copy
import io
import subprocess
import sys

import pytest
import torch
from torch import nn

from hpc_dl.train.fused_step import KERNELS, FusedStep, step_of

OPTIMIZERS = {
    "adamw": lambda groups: torch.optim.AdamW(groups, weight_decay=0.1, fused=True),
    "adam": lambda groups: torch.optim.Adam(groups, betas=(0.5, 0.9), weight_decay=0.1, fused=True),
    "sgd": lambda groups: torch.optim.SGD(groups, weight_decay=0.1, fused=True),
    "momentum": lambda groups: torch.optim.SGD(groups, momentum=0.9, nesterov=True, fused=True),
}


def optimizer_of(name):
    """An optimizer of parameters of two types, in two groups."""
    torch.manual_seed(0)
    network = nn.ModuleList([nn.Linear(3, 4), nn.Linear(4, 2).double(), nn.Linear(2, 1)])
    first, second, third = (list(layer.parameters()) for layer in network)
    return OPTIMIZERS[name]([{"params": first + second}, {"params": third, "lr_scale": 0.1}])


def parameters(optimizer):
    return [it for group in optimizer.param_groups for it in group["params"]]


def advance(optimizer, step, numbers):
    """Steps at rates that change; the last parameter has a gradient in every other one."""
    for number in numbers:
        random = torch.Generator().manual_seed(number)
        for it in parameters(optimizer):
            it.grad = torch.randn(it.shape, generator=random, dtype=it.dtype)
        if number % 2:
            parameters(optimizer)[-1].grad = None
        for group in optimizer.param_groups:
            group["lr"] = 0.1 / (1 + number) * group.get("lr_scale", 1.0)
        step()


def saved(optimizer):
    torch.save(optimizer.state_dict(), file := io.BytesIO())
    file.seek(0)
    return torch.load(file)


def assert_same(one, other):
    for ours, theirs in zip(parameters(one), parameters(other), strict=True):
        assert torch.equal(ours, theirs)
    states = saved(one), saved(other)
    assert states[0]["param_groups"] == states[1]["param_groups"]
    for number, state in states[0]["state"].items():
        for name, value in state.items():
            expected = states[1]["state"][number][name]
            assert torch.equal(value, torch.zeros(()) if expected is None else expected), name


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_the_fused_step_gives_the_bits_of_torchs_own(name):
    ours, theirs = optimizer_of(name), optimizer_of(name)
    step = step_of(ours)
    assert isinstance(step, FusedStep)
    advance(ours, step, range(6))
    advance(theirs, theirs.step, range(6))
    assert_same(ours, theirs)


@pytest.mark.parametrize("name", OPTIMIZERS)
@pytest.mark.parametrize("before, after", [("ours", "theirs"), ("theirs", "ours"), ("ours",) * 2])
def test_either_step_continues_from_a_state_of_the_other(name, before, after):
    def trained(optimizer, kind, numbers):
        advance(optimizer, optimizer.step if kind == "theirs" else step_of(optimizer), numbers)
        return optimizer

    undisturbed = trained(optimizer_of(name), "theirs", range(6))
    killed, resumed = trained(optimizer_of(name), before, range(3)), optimizer_of(name)
    step = resumed.step if after == "theirs" else step_of(resumed)
    advance(resumed, step, range(2))  # whose lists are not those of the state that is loaded
    with torch.no_grad():
        for here, there in zip(parameters(resumed), parameters(killed), strict=True):
            here.copy_(there)
    resumed.load_state_dict(saved(killed))
    advance(resumed, step, range(3, 6))
    assert_same(resumed, undisturbed)


def test_what_the_kernels_are_not_called_for_takes_its_own_step(monkeypatch):
    weights = [nn.Parameter(torch.ones(2))]
    for other in (
        torch.optim.AdamW(weights, fused=True, amsgrad=True),
        torch.optim.AdamW(weights, foreach=True),
        torch.optim.SGD(weights, momentum=0.9, dampening=0.5, fused=True),
        torch.optim.RMSprop(weights),
    ):
        assert step_of(other) == other.step
    optimizer = optimizer_of("adamw")
    monkeypatch.delattr(torch, KERNELS[torch.optim.AdamW])
    assert step_of(optimizer) == optimizer.step


def test_sparse_gradients_are_refused_as_by_torch():
    embedding = nn.Embedding(3, 2, sparse=True)
    step = step_of(torch.optim.AdamW(embedding.parameters(), fused=True))
    embedding(torch.tensor([1])).sum().backward()
    before = copy.deepcopy(embedding.weight)
    with pytest.raises(RuntimeError, match="sparse gradients"):
        step()
    assert torch.equal(embedding.weight, before)


PROGRAM = """
import sys
from pathlib import Path
import torch
from hpc_dl.jobspec.optimizers import AdamW
from hpc_dl.train import optim
from hpc_dl.train.player import Player
from hpc_dl.train.reproducibility import use_deterministic_algorithms
use_deterministic_algorithms(True)
network = torch.nn.Linear(2, 1)
optimizer = optim.optimizer(AdamW(name="adamw"), network, Path())
player = Player(network, optimizer, lambda step: 0.1)
network(torch.ones(1, 2)).sum().backward()
player.set_rate(0, 1.0)
player.step()
player.zero_grad()
optimizer.load_state_dict(optimizer.state_dict())
optimizer.zero_grad()
print(*(name for name in ("torch._dynamo", "torch._inductor") if name in sys.modules))
"""


def test_optimizers_do_not_import_torchs_compiler():
    command = [sys.executable, "-c", PROGRAM]
    found = subprocess.run(command, check=True, capture_output=True, text=True)
    assert found.stdout.split() == []
