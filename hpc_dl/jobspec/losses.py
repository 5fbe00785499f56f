"""Options of the loss, where it is not the task's own: one of torch, or a user's."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from pydantic import Field

from hpc_dl.jobspec import fields
from hpc_dl.jobspec.base import REFERENCE, OpenSpec
from hpc_dl.jobspec.choice import by_name
from hpc_dl.jobspec.facts import Task

_OF_CLASSES: tuple[Task, ...] = ("classify", "classify_nodes", "tag", "predict_next")
TASKS: dict[str, tuple[Task, ...]] = {
    "CrossEntropyLoss": _OF_CLASSES,
    "MultiMarginLoss": _OF_CLASSES,
    "MSELoss": ("regress",),
    "L1Loss": ("regress",),
    "SmoothL1Loss": ("regress",),
    "HuberLoss": ("regress",),
}
"""What each loss of torch is for."""
ANY: tuple[Task, ...] = (*_OF_CLASSES, "regress")
"""Tasks whose loss can be another than their own."""


class TorchLoss(OpenSpec):
    """A loss of torch.nn, by the name of its class; other keys are its arguments."""

    name: Literal[
        "CrossEntropyLoss", "MultiMarginLoss", "MSELoss", "L1Loss", "SmoothL1Loss", "HuberLoss"
    ]


class UserLoss(OpenSpec):
    """A user's function of outputs and targets, a row each; it returns the loss of each row. Other
    keys are its arguments; of a class, those of its constructor."""

    name: str = Field(pattern=REFERENCE, description="my_code.py:my_loss")


if TYPE_CHECKING:
    TrainLoss = TorchLoss | UserLoss
else:
    _OF_TORCH = dict.fromkeys(fields.names_of(TorchLoss), TorchLoss)
    TrainLoss = by_name({**_OF_TORCH, "own": UserLoss})
