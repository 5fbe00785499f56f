"""One player of the game: a network as the ranks share it, its optimizer, and its learning rate."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

import torch
from torch import nn
from torch.nn.parallel import DistributedDataParallel

from hpc_dl.train.ema import Average
from hpc_dl.train.sharded_tensors import is_divided, sum_up


@dataclass
class Player:
    """A network as the ranks share it, its optimizer, its rate by step, and its average."""

    network: nn.Module
    optimizer: torch.optim.Optimizer
    rate: Callable[[int], float]
    average: Average | None = None
    named: dict[str, nn.Parameter] = field(init=False)
    """The parameters that it moves."""
    parameters: list[nn.Parameter] = field(init=False)

    def __post_init__(self) -> None:
        self.named = {name: p for name, p in self.network.named_parameters() if p.requires_grad}
        self.parameters = list(self.named.values())

    def gradients(self) -> list[torch.Tensor]:
        """Of the parameters that have one."""
        return [it.grad for it in self.parameters if it.grad is not None]

    def set_rate(self, step: int, factor: float) -> None:
        for group in self.optimizer.param_groups:
            group["lr"] = self.rate(step) * factor

    def learn(self, learning: bool) -> None:
        """Let the others' turns leave this network, and its gradients, alone; or not."""
        for parameter in self.parameters:
            parameter.requires_grad_(learning)
        if isinstance(self.network, DistributedDataParallel):
            self.network.require_backward_grad_sync = learning
        elif is_divided(self.network):
            sum_up(self.network, learning)
