"""Optimizers, and the learning rate as a function of the step."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import torch
from torch import nn
from torch.optim.sgd import sgd

from hpc_dl.jobspec.train import SGD, Adam, AdamW, Constant, Cosine, Linear, Optimizer, Schedule
from hpc_dl.train.gradient_sync import is_sharded


class ShardedSGD(torch.optim.SGD):
    """Fused SGD over this rank's shards; torch has none for FSDP."""

    @torch.no_grad()
    def step(self, closure: None = None) -> None:  # type: ignore[override]
        """Update the parameters that have a gradient."""
        for group in self.param_groups:
            parameters = [it for it in group["params"] if it.grad is not None]
            has_momentum = group["momentum"] != 0
            momenta = (
                [self.state[it]["momentum_buffer"] for it in parameters] if has_momentum else []
            )
            sgd(
                _local(parameters),
                _local([it.grad for it in parameters]),
                _local(momenta),
                fused=True,
                grad_scale=getattr(self, "grad_scale", None),
                found_inf=getattr(self, "found_inf", None),
                weight_decay=group["weight_decay"],
                momentum=group["momentum"],
                lr=group["lr"],
                dampening=group["dampening"],
                nesterov=group["nesterov"],
                maximize=group["maximize"],
            )


def _local(sharded: list[Any]) -> list[Any]:
    return [it.to_local() for it in sharded]


def _with_momentum(optimizer: torch.optim.SGD) -> torch.optim.SGD:
    """Set each parameter's momentum to 0 now, and after loading a state without one.

    torch would allocate it in the first step, and not write it if that one is skipped for a
    gradient that is not finite.
    """

    def fill(it: torch.optim.Optimizer) -> None:
        for group in it.param_groups:
            for parameter in group["params"] if group["momentum"] else ():
                if it.state[parameter].get("momentum_buffer") is None:
                    it.state[parameter]["momentum_buffer"] = torch.zeros_like(parameter)

    fill(optimizer)
    optimizer.register_load_state_dict_post_hook(fill)
    return optimizer


def optimizer(spec: Optimizer, network: nn.Module) -> torch.optim.Optimizer:
    """Build torch's fused optimizer of the trainable parameters; its rate is set at each step."""
    # As a group, which may be empty: a frozen network has an optimizer that does nothing.
    parameters = [{"params": [p for p in network.parameters() if p.requires_grad]}]
    match spec:
        case SGD():
            sgd_of = ShardedSGD if is_sharded(network) else torch.optim.SGD
            return _with_momentum(
                sgd_of(
                    parameters,
                    momentum=spec.momentum,
                    nesterov=spec.nesterov,
                    weight_decay=spec.weight_decay,
                    fused=True,
                )
            )
        case AdamW() | Adam():
            kind = torch.optim.AdamW if isinstance(spec, AdamW) else torch.optim.Adam
            first, second = spec.betas
            return kind(
                parameters,
                betas=(first, second),
                weight_decay=spec.weight_decay,
                fused=True,
            )


def learning_rate(
    spec: Schedule, peak: float, steps: int, steps_per_epoch: int
) -> Callable[[int], float]:
    """Return a function from step to learning rate, without state.

    The rate rises linearly to `peak` over the warm-up, then follows the schedule for `steps` steps.
    """

    def rate(step: int) -> float:
        if step < spec.warmup_steps:
            return peak * (step + 1) / spec.warmup_steps
        done = (step - spec.warmup_steps) / max(1, steps - spec.warmup_steps)
        match spec:
            case Constant():
                return peak
            case Cosine():
                return peak * (spec.final + (1 - spec.final) * (1 + math.cos(math.pi * done)) / 2)
            case Linear():
                return peak * (spec.final + (1 - spec.final) * (1 - done))
            case _:
                return peak * spec.factor ** (step // steps_per_epoch // spec.every_epochs)

    return rate
