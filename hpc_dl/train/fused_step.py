"""Optimizer steps by torch's fused kernels on lists that are kept.

`torch.optim.Optimizer.step` collects parameters, gradients and moments anew at each step and sorts
them by device and type, which takes longer than the kernel where a network is small; and its first
call imports torch's compiler, which takes a second. The state stays that of torch's own optimizer,
to be saved, and to be continued by either.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

KERNELS: dict[type[torch.optim.Optimizer], str] = {
    torch.optim.Adam: "_fused_adam_",
    torch.optim.AdamW: "_fused_adamw_",
    torch.optim.SGD: "_fused_sgd_",
}
"""Names in torch, none of them public, of the kernels that update all parameters at once."""
_OTHERWISE = ("amsgrad", "maximize", "dampening", "differentiable", "capturable")
"""Options of a parameter group for which torch's own step is taken."""


def step_of(optimizer: torch.optim.Optimizer) -> Callable[[], object]:
    """Return what takes a step of an optimizer: a FusedStep, or else the optimizer's own."""
    is_known = hasattr(torch, KERNELS.get(type(optimizer), ""))
    is_plain = all(
        group.get("fused") and not any(group.get(option) for option in _OTHERWISE)
        for group in optimizer.param_groups
    )
    return FusedStep(optimizer) if is_known and is_plain else optimizer.step


@dataclass(frozen=True)
class _Part:
    """Parameters of one group, device and type, all of which have a gradient."""

    group: int
    """Its number, for loading a state makes other groups."""
    parameters: list[nn.Parameter]
    moments: list[list[Tensor]]
    """For each moment that the kernel takes, that of each parameter."""
    counts: Tensor
    """How many steps each parameter has taken, (parameters,) float32; of Adam."""
    steps: list[Tensor]
    """The same as scalars, which share their memory with `counts`."""

    def gradients(self) -> list[Any]:
        return [it.grad for it in self.parameters]


class FusedStep:
    """A step of torch's Adam, AdamW or SGD, with the same bits as its own."""

    def __init__(self, optimizer: torch.optim.Optimizer) -> None:
        self._optimizer = optimizer
        self._kernel = getattr(torch, KERNELS[type(optimizer)])
        self._apply = self._sgd if isinstance(optimizer, torch.optim.SGD) else self._adam
        self._parameters = [it for group in optimizer.param_groups for it in group["params"]]
        self._used: list[bool] = []
        """Which parameters had a gradient when the lists were made."""
        self._parts: list[_Part] = []
        optimizer.register_load_state_dict_post_hook(self._forget)

    def _forget(self, _: torch.optim.Optimizer) -> None:
        """Make the lists anew: the tensors of a loaded state are others."""
        self._used = []

    def __call__(self) -> None:
        """Update the parameters that have a gradient."""
        used = [it.grad is not None for it in self._parameters]
        with torch.no_grad():
            if used != self._used:
                self._used, self._parts = used, list(self._collect())
            for part in self._parts:
                self._apply(part, self._optimizer.param_groups[part.group])

    def _adam(self, part: _Part, group: dict[str, Any]) -> None:
        part.counts.add_(1)
        first, second = group["betas"]
        self._kernel(
            part.parameters,
            part.gradients(),
            *part.moments,
            [],
            part.steps,
            lr=group["lr"],
            beta1=first,
            beta2=second,
            weight_decay=group["weight_decay"],
            eps=group["eps"],
            amsgrad=False,
            maximize=False,
        )

    def _sgd(self, part: _Part, group: dict[str, Any]) -> None:
        self._kernel(
            part.parameters,
            part.gradients(),
            *part.moments,
            weight_decay=group["weight_decay"],
            momentum=group["momentum"],
            lr=group["lr"],
            dampening=0.0,
            nesterov=group["nesterov"],
            maximize=False,
            is_first_step=False,
        )

    def _collect(self) -> Iterator[_Part]:
        """Yield the parts. Raises RuntimeError for sparse gradients, as torch's own step does."""
        for number, group in enumerate(self._optimizer.param_groups):
            of_kind: dict[tuple[Any, ...], list[nn.Parameter]] = {}
            for it in group["params"]:
                if it.grad is not None:
                    if it.grad.is_sparse:
                        raise RuntimeError(
                            f"{type(self._optimizer).__name__} has no fused step "
                            "for sparse gradients"
                        )
                    of_kind.setdefault((it.device, it.dtype), []).append(it)
            for parameters in of_kind.values():
                counts, steps = self._counts(parameters)
                moments = [self._moments(name, parameters) for name in _moments_of(group)]
                yield _Part(number, parameters, moments or [[]], counts, steps)

    def _moments(self, name: str, parameters: Sequence[nn.Parameter]) -> list[Tensor]:
        """Return a moment of each parameter; one that is not there yet is 0."""
        states = [self._optimizer.state[it] for it in parameters]
        for parameter, state in zip(parameters, states, strict=True):
            if state.get(name) is None:
                state[name] = torch.zeros_like(parameter)
        return [state[name] for state in states]

    def _counts(self, parameters: Sequence[nn.Parameter]) -> tuple[Tensor, list[Tensor]]:
        """Put the numbers of steps side by side, where one operation adds to all."""
        if isinstance(self._optimizer, torch.optim.SGD):
            return torch.empty(0), []
        states = [self._optimizer.state[it] for it in parameters]
        none = torch.zeros((), device=parameters[0].device)
        counts = torch.stack([state.get("step", none) for state in states])
        steps = list(counts.unbind())
        for state, step in zip(states, steps, strict=True):
            state["step"] = step
        return counts, steps


def _moments_of(group: dict[str, Any]) -> tuple[str, ...]:
    """Return the names of the moments in an optimizer's state."""
    if "betas" in group:
        return "exp_avg", "exp_avg_sq"
    return ("momentum_buffer",) if group["momentum"] else ()
