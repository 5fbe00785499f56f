"""Options of the residual network."""

from __future__ import annotations

from typing import ClassVar, Literal

from pydantic import Field, PositiveInt

from hpc_dl.jobspec.facts import Task
from hpc_dl.jobspec.model import Model


class Residual(Model):
    """Residual network for small images: blocks of convolutions beside the identity."""

    tasks: ClassVar[tuple[Task, ...]] = ("classify", "regress")

    name: Literal["resnet"]
    depth: Literal[8, 14, 20, 32, 44, 56, 110] = Field(
        8, description="layers with weights: 6 n + 2, with n blocks in each of three stages"
    )
    width: PositiveInt = Field(
        16, description="channels of the first stage, doubled with each of the next"
    )
    norm: Literal["batch", "group"] = Field(
        "batch",
        description="after each convolution: of a batch, or of groups of each example's channels, "
        "which is the same however a batch is divided over ranks",
    )

    @property
    def batch_norm(self) -> bool:
        return self.norm == "batch"
