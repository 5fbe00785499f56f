"""Options of optimizers: hpcdl's, any that torch has, and a user's."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Literal, Self

from pydantic import Field, NonNegativeFloat, PositiveFloat, model_validator

from hpc_dl.jobspec import fields
from hpc_dl.jobspec.base import REFERENCE, OpenSpec, Spec
from hpc_dl.jobspec.choice import by_name

Momentum = Annotated[float, Field(ge=0, lt=1)]
Rate = PositiveFloat | Literal["auto"]


class AdamW(Spec):
    """Adam with decoupled weight decay (Loshchilov and Hutter, arXiv:1711.05101)."""

    name: Literal["adamw"]
    lr: Rate = Field(1e-3, description="peak learning rate, or `auto` to find one")
    weight_decay: NonNegativeFloat = 0.01
    betas: list[Momentum] = Field([0.9, 0.999], min_length=2, max_length=2)


class Adam(Spec):
    """Adam (Kingma and Ba, arXiv:1412.6980)."""

    name: Literal["adam"]
    lr: Rate = Field(1e-3, description="peak learning rate, or `auto` to find one")
    weight_decay: NonNegativeFloat = 0.0
    betas: list[Momentum] = Field([0.9, 0.999], min_length=2, max_length=2)


class SGD(Spec):
    """Stochastic gradient descent with momentum."""

    name: Literal["sgd"]
    lr: Rate = Field(0.1, description="peak learning rate, or `auto` to find one")
    momentum: Momentum = 0.9
    nesterov: bool = False
    weight_decay: NonNegativeFloat = 0.0

    @model_validator(mode="after")
    def _nesterov_needs_momentum(self) -> Self:
        if self.nesterov and self.momentum == 0:
            raise ValueError("nesterov needs a momentum above 0")
        return self


class Muon(Spec):
    """Muon (Jordan et al., 2024, https://kellerjordan.github.io/posts/muon) for the weights of
    hidden layers, filters of convolutions included; AdamW for all else: the first layer and the
    last, embeddings, biases and norms. The plan says which are which."""

    name: Literal["muon"]
    lr: Rate = Field(
        1e-3,
        description="peak learning rate, of both, for updates are scaled to the size of AdamW's "
        "(arXiv:2502.16982); or `auto` to find one",
    )
    weight_decay: NonNegativeFloat = Field(0.1, description="of both")
    momentum: Momentum = Field(0.95, description="of Muon")
    nesterov: bool = Field(True, description="of Muon")
    betas: list[Momentum] = Field([0.9, 0.95], min_length=2, max_length=2, description="of AdamW")


class TorchOptimizer(OpenSpec):
    """Any other optimizer of torch.optim, by the name of its class in lower case; other keys are
    its arguments."""

    name: Literal[
        "adadelta",
        "adafactor",
        "adagrad",
        "adamax",
        "asgd",
        "nadam",
        "radam",
        "rmsprop",
        "rprop",
    ]
    lr: Rate = Field(description="peak learning rate, or `auto` to find one")


class UserOptimizer(OpenSpec):
    """A user's torch.optim.Optimizer, or that of a package; other keys are its arguments."""

    name: str = Field(pattern=REFERENCE, description="my_code.py:MyOptimizer")
    lr: Rate = Field(description="peak learning rate, or `auto` to find one")


if TYPE_CHECKING:
    Optimizer = AdamW | Adam | SGD | Muon | TorchOptimizer | UserOptimizer
else:
    _OF_TORCH = dict.fromkeys(fields.names_of(TorchOptimizer), TorchOptimizer)
    Optimizer = by_name(
        {"adamw": AdamW, "adam": Adam, "sgd": SGD, "muon": Muon, **_OF_TORCH, "own": UserOptimizer}
    )
