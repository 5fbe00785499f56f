"""Schedules: the learning rate as a function of the step, without state, so that a run that is
resumed goes on as it would have."""

from __future__ import annotations

import math
import numbers
import warnings
from collections.abc import Callable
from functools import partial
from pathlib import Path

import torch
from torch import nn

from hpc_dl.errors import UserError
from hpc_dl.jobspec.schedules import (
    Constant,
    Cosine,
    Linear,
    Schedule,
    StepDown,
    TorchSchedule,
    UserSchedule,
)
from hpc_dl.jobspec.signatures import Called
from hpc_dl.user_code import load_object

GIVEN_OF_TORCH = (
    *("optimizer", "last_epoch"),
    *("max_lr", "total_steps", "epochs", "steps_per_epoch"),
    *("cycle_momentum", "base_momentum", "max_momentum"),
)
"""Arguments of torch's schedules that are decided: the peak is `train.optimizer.lr`, the length is
that of the training, and momentum stays as it is."""

Rate = Callable[[int], float]


def learning_rate(
    spec: Schedule, peak: float, steps: int, steps_per_epoch: int, code: Path
) -> Rate:
    """Return a function from step to learning rate, without state.

    The rate rises linearly to `peak` over the warm-up, then follows the schedule for `steps` steps.
    A user's schedule is imported from `code`.
    """
    if isinstance(spec, UserSchedule):
        return _of_user(spec, peak, steps, code)
    warmup = spec.warmup_steps
    rest = max(1, steps - warmup)
    after: Rate = (
        _Simulated(spec, peak, rest, code)
        if isinstance(spec, TorchSchedule)
        else partial(_shipped, spec, peak, rest, steps_per_epoch)
    )

    def rate(step: int) -> float:
        return peak * (step + 1) / warmup if step < warmup else after(step - warmup)

    return rate


def _shipped(
    spec: Constant | Cosine | Linear | StepDown,
    peak: float,
    steps: int,
    steps_per_epoch: int,
    step: int,
) -> float:
    """Return the rate of a step that is counted from the end of the warm-up."""
    done = step / steps
    match spec:
        case Constant():
            return peak
        case Cosine():
            return peak * (spec.final + (1 - spec.final) * (1 + math.cos(math.pi * done)) / 2)
        case Linear():
            return peak * (spec.final + (1 - spec.final) * (1 - done))
    epoch = (step + spec.warmup_steps) // steps_per_epoch
    return peak * spec.factor ** (epoch // spec.every_epochs)


class _Simulated:
    """The rates that a scheduler of torch sets for an optimizer of a single weight, as far as they
    have been asked for."""

    def __init__(self, spec: TorchSchedule, peak: float, steps: int, code: Path) -> None:
        given = called(spec, code)
        self.optimizer = torch.optim.SGD([nn.Parameter(torch.zeros(()))], lr=peak)
        known = {"max_lr": peak, "total_steps": steps, "cycle_momentum": False}
        ours = {name: it for name, it in known.items() if name in given.parameters}
        keywords = given.keywords(spec.options)
        self.scheduler = given.function(self.optimizer, **ours, **keywords)
        self.last = steps - 1
        self.rates = [self._rate()]

    def __call__(self, step: int) -> float:
        step = min(step, self.last)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of an optimizer that takes no step
            while len(self.rates) <= step:
                self.scheduler.step()
                self.rates.append(self._rate())
        return self.rates[step]

    def _rate(self) -> float:
        return float(self.optimizer.param_groups[0]["lr"])


def called(spec: TorchSchedule | UserSchedule, code: Path) -> Called:
    """Return torch's class of a schedule, or a user's function. Raises UserError for what is
    neither."""
    if isinstance(spec, TorchSchedule):
        return Called(getattr(torch.optim.lr_scheduler, spec.name), GIVEN_OF_TORCH)
    found = load_object(spec.name, code)
    if not callable(found) or isinstance(found, type):
        raise UserError(
            f"{spec.name} is no function", hint="Write it as a function of (step, steps)."
        )
    return Called(found, by_place=2)


def _of_user(spec: UserSchedule, peak: float, steps: int, code: Path) -> Rate:
    given = called(spec, code)
    keywords = given.keywords(spec.options)

    def rate(step: int) -> float:
        share = given.function(step, steps, **keywords)
        if not isinstance(share, numbers.Real) or not 0 <= float(share) < math.inf:
            raise UserError(
                f"{spec.name} returns {share!r} for step {step} of {steps}, but has to return a "
                "share of the peak learning rate: a number of 0 or above"
            )
        return peak * float(share)

    return rate
