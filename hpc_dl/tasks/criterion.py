"""The loss that a job spec names in place of the task's own: one of torch, or a user's.

    def focal(outputs, targets, gamma: float = 2.0):
        nats = F.cross_entropy(outputs, targets, reduction="none")
        return (1 - (-nats).exp()) ** gamma * nats

It gets a row for each example, or for each step of sequences: logits (N, classes) and classes (N,)
int64, or standardised numbers (N, targets) and (N, targets). It returns the loss of each row, (N,),
or of each number, (N, targets). Sums and counts are made here, so that any division of a batch over
ranks gives the same gradient, which a mean that is taken too early would not.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path

import torch
from torch import Tensor, nn

from hpc_dl.errors import UserError
from hpc_dl.jobspec.losses import TorchLoss, TrainLoss
from hpc_dl.jobspec.signatures import Called
from hpc_dl.user_code import load_object

GIVEN_OF_TORCH = ("reduction", "size_average", "reduce", "weight")
"""Arguments of torch's losses that are decided: class weights are `train.class_weights`."""


class Criterion:
    """A loss for each row of outputs."""

    def __init__(self, name: str, function: Callable[[Tensor, Tensor], Tensor]) -> None:
        self.name, self.function = name, function

    def __call__(self, outputs: Tensor, targets: Tensor) -> Tensor:
        """Return the losses (N,) of outputs (N, ...) for targets (N, ...).

        Raises UserError for a loss that is a single number, or of any other shape.
        """
        if isinstance(self.function, nn.Module):
            self.function.to(outputs.device)
        found = self.function(outputs, targets)
        if not isinstance(found, Tensor) or found.shape not in (targets.shape[:1], targets.shape):
            wanted = " or ".join(dict.fromkeys(map(_shown, (targets.shape[:1], targets.shape))))
            raise UserError(
                f"{self.name} returns {_shown(found)} for outputs {_shown(outputs)} and targets "
                f"{_shown(targets)}, but has to return {wanted}: a loss for each of them",
                hint="Leave out the mean at its end (reduction='none'): hpcdl takes it over all "
                "ranks.",
            )
        return found if found.ndim == 1 else found.flatten(1).mean(dim=1)


def _shown(value: object) -> str:
    if isinstance(value, Tensor | torch.Size):
        return str(tuple(value.shape if isinstance(value, Tensor) else value))
    return f"a {type(value).__name__}"


def called(options: TrainLoss, code: Path) -> Called:
    """Return what is called with the options of a loss: a function, which gets them beside outputs
    and targets, or a class, which gets them alone. A user's is imported from `code`."""
    if isinstance(options, TorchLoss):
        return Called(getattr(nn, options.name), GIVEN_OF_TORCH)
    loss = load_object(options.name, code)
    if not callable(loss):
        raise UserError(f"{options.name} is no function, but a {type(loss).__name__}")
    return Called(loss, by_place=0 if isinstance(loss, type) else 2)


def build(options: TrainLoss, code: Path) -> Criterion:
    """Return the loss of a job spec.

    Raises UserError for one that has parameters, which nothing would train.
    """
    loss = called(options, code)
    keywords = loss.keywords(options.options)
    if isinstance(options, TorchLoss):
        return Criterion(options.name, loss.function(**keywords, reduction="none"))
    if not isinstance(loss.function, type):
        return Criterion(options.name, partial(loss.function, **keywords))
    made = loss.function(**keywords)
    if isinstance(made, nn.Module) and (names := [name for name, _ in made.named_parameters()]):
        raise UserError(
            f"{options.name} has parameters, which a loss does not train: {', '.join(names)}",
            hint="Make buffers of numbers that stay as they are.",
        )
    return Criterion(options.name, made)
