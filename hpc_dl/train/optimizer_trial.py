"""What an optimizer that is not hpcdl's own does with parameters like a network's: it has to
follow the learning rate, and to go on from its state as if it had not been interrupted."""

from __future__ import annotations

import copy
from collections.abc import Iterator, Sequence
from pathlib import Path

import torch
from torch import Tensor, nn

from hpc_dl.errors import UserError
from hpc_dl.jobspec.optimizers import Optimizer
from hpc_dl.train import optim

_MOST = 8
"""Numbers along an axis: as many as show what an optimizer does, whatever the network's size."""


def run(spec: Optimizer, network: nn.Module, code: Path) -> Iterator[str]:
    """Take a few steps with made gradients, and yield notes.

    Raises UserError for an optimizer that changes nothing, makes NaN, or keeps out of its
    `state_dict` what its next step depends on.
    """
    trained = [_corner(it) for it in network.parameters() if it.requires_grad]
    if not trained:
        return
    began = _Parameters(spec, trained, code)
    began.step(1)
    if not all(it.isfinite().all() for it in began.values):
        raise UserError(f"{spec.name} makes NaN or infinities of finite gradients")
    if all(map(torch.equal, began.values, trained)):
        raise UserError(f"a step of {spec.name} changes no parameter")
    began.step(2)
    resumed = _Parameters(spec, began.values, code)
    resumed.optimizer.load_state_dict(copy.deepcopy(began.optimizer.state_dict()))
    for parameters in (began, resumed):
        parameters.step(3)
    if not all(map(torch.equal, began.values, resumed.values)):
        raise UserError(
            f"{spec.name} goes on otherwise after its state_dict was loaded, so that a run that is "
            "resumed would end with other weights",
            hint="Keep what a step depends on in self.state[parameter], or in the groups.",
        )
    before = [it.clone() for it in began.values]
    began.step(4, lr=0.0)
    if not all(map(torch.equal, began.values, before)):
        yield (
            f"{spec.name} changes parameters at a learning rate of 0: a schedule sets group['lr'] "
            "of its param_groups at each step"
        )


def _corner(parameter: Tensor) -> Tensor:
    """Return a few of the numbers of a parameter, along each of its axes."""
    return parameter.detach()[(slice(_MOST),) * parameter.ndim]


class _Parameters:
    """Copies of parameters, with an optimizer of their own."""

    def __init__(self, spec: Optimizer, values: Sequence[Tensor], code: Path) -> None:
        network = nn.ParameterList([it.detach().clone() for it in values])
        self.parameters = list(network)
        self.optimizer = optim.optimizer(spec, network, code)

    @property
    def values(self) -> list[Tensor]:
        return [it.detach() for it in self.parameters]

    def step(self, number: int, lr: float = 1e-3) -> None:
        """Take a step with gradients that follow from its number, as do random numbers."""
        torch.manual_seed(number)
        for group in self.optimizer.param_groups:
            group["lr"] = lr
        for parameter in self.parameters:
            parameter.grad = torch.randn_like(parameter)
        self.optimizer.step()
