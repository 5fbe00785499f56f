"""The optimizer of a player, and the learning rate as a function of the step."""

from __future__ import annotations

import math
from collections.abc import Callable

import torch
from torch import nn

from hpc_dl.spec.job import SGD, Adam, AdamW, Constant, Cosine, Linear, Optimizer, Schedule
from hpc_dl.train.divided import is_divided


def optimizer(spec: Optimizer, network: nn.Module) -> torch.optim.Optimizer:
    """torch's fused optimizer over the parameters of `network` that require gradients.

    Its learning rate is set anew at every step.
    """
    # As a group, which may be empty: a frozen network has an optimizer that does nothing.
    parameters = [{"params": [p for p in network.parameters() if p.requires_grad]}]
    match spec:
        case SGD():
            return torch.optim.SGD(
                parameters,
                momentum=spec.momentum,
                nesterov=spec.nesterov,
                weight_decay=spec.weight_decay,
                fused=not is_divided(network),  # torch has it for Adam alone there
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
    """Step → learning rate, of which nothing has to be remembered between two steps.

    It rises linearly to `peak` over the warm-up, then follows the schedule to the last of `steps`.
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
