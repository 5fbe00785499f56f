"""One player of a training step: its network, optimizer, learning rate and EMA weights."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.parallel import DistributedDataParallel
from torch.optim.swa_utils import get_ema_multi_avg_fn

from hpc_dl.train.fused_step import step_of
from hpc_dl.train.gradient_sync import is_sharded, set_gradient_sync


@dataclass
class Player:
    """A network, wrapped for several ranks, with its optimizer and its learning rate by step."""

    network: nn.Module
    optimizer: torch.optim.Optimizer
    rate: Callable[[int], float]
    ema: EMA | None = None
    named: dict[str, nn.Parameter] = field(init=False)
    """The trainable parameters by name."""
    parameters: list[nn.Parameter] = field(init=False)
    step: Callable[[], object] = field(init=False)
    """Takes an optimizer step."""

    def __post_init__(self) -> None:
        self.named = {name: p for name, p in self.network.named_parameters() if p.requires_grad}
        self.parameters = list(self.named.values())
        is_whole = not is_sharded(self.network)
        self.step = step_of(self.optimizer) if is_whole else self.optimizer.step

    def load_moments(self, state: dict[str, Any]) -> None:
        """Load the state of the optimizer.

        Its moments are laid out in memory as they were saved, maybe on a GPU, with the channels
        last. They are laid out like their parameters here: fused kernels take the numbers of both
        in the order of memory.
        """
        self.optimizer.load_state_dict(state)
        for parameter in self.parameters:
            moments = self.optimizer.state.get(parameter, {})
            for name, moment in moments.items():
                is_like = isinstance(moment, Tensor) and moment.shape == parameter.shape
                if is_like and moment.stride() != parameter.stride():
                    moments[name] = torch.empty_like(parameter, dtype=moment.dtype).copy_(moment)

    def gradients(self) -> list[Tensor]:
        """Return the gradients of the parameters that have one."""
        return [it.grad for it in self.parameters if it.grad is not None]

    def set_rate(self, step: int, factor: float) -> None:
        """Set the learning rate of each group to that of a step, times a factor and its own."""
        rate = self.rate(step) * factor
        for group in self.optimizer.param_groups:
            group["lr"] = rate * group.get("lr_scale", 1.0)

    def zero_grad(self) -> None:
        """Drop the gradients."""
        for parameter in self.parameters:
            parameter.grad = None

    def set_trainable(self, trainable: bool) -> None:
        """Freeze the network and its gradient sync during another player's update, or unfreeze."""
        for parameter in self.parameters:
            parameter.requires_grad_(trainable)
        if isinstance(self.network, DistributedDataParallel):
            self.network.require_backward_grad_sync = trainable
        elif is_sharded(self.network):
            set_gradient_sync(self.network, trainable)


class EMA:
    """Exponential moving average of a network's weights; its buffers are the network's.

    After n steps w̄ ← w̄ + (1 - d)(w - w̄) with d = min(decay, (1 + n) / (10 + n)), so that the
    initial weights are soon forgotten (Polyak and Juditsky, SIAM J. Control Optim. 1992; Tarvainen
    and Valpola, arXiv:1703.01780).

    The update is torch's; its `AveragedModel` is not used, for it copies its counter to the GPU at
    every update and waits for that, and takes over the weights at the first instead of averaging.
    """

    def __init__(self, network: nn.Module, decay: float) -> None:
        self.network = copy.deepcopy(network).requires_grad_(False)
        self.decay = decay
        self._averages: list[Tensor] = list(self.network.parameters())
        self._weights: list[Tensor] = list(network.parameters())
        self._buffers = list(zip(self.network.buffers(), network.buffers(), strict=True))

    @torch.no_grad()
    def update(self, steps: int) -> None:
        """Update the EMA weights after so many optimizer steps."""
        decay = min(self.decay, (1 + steps) / (10 + steps))
        if self._averages:
            get_ema_multi_avg_fn(decay)(self._averages, self._weights, steps)
        for average, buffer in self._buffers:
            average.copy_(buffer)


class BufferBackup:
    """A copy of networks' buffers, such as batch norm statistics: a forward pass changes them."""

    def __init__(self, networks: Iterable[nn.Module]) -> None:
        self._buffers: dict[torch.dtype, list[Tensor]] = {}  # by dtype, each copied in one go
        for buffer in (it for network in networks for it in network.buffers()):
            self._buffers.setdefault(buffer.dtype, []).append(buffer)
        self._copies = {
            dtype: [torch.empty_like(it) for it in buffers]
            for dtype, buffers in self._buffers.items()
        }

    def save(self) -> None:
        """Copy the buffers as they are now."""
        for dtype, buffers in self._buffers.items():
            with torch.no_grad():
                torch._foreach_copy_(self._copies[dtype], buffers)

    @torch.no_grad()
    def restore(self) -> None:
        """Set the buffers to what they were when they were saved."""
        for dtype, buffers in self._buffers.items():
            torch._foreach_copy_(buffers, self._copies[dtype])
