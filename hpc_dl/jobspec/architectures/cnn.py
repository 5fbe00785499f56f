"""Options of the convolutional network."""

from __future__ import annotations

from typing import ClassVar, Literal

from pydantic import Field, PositiveInt

from hpc_dl.jobspec.model import Activation, Model, Norm, Probability, Task


class Convolutional(Model):
    """Convolutional network (LeNet): convolutions and pooling in turn, then dense layers."""

    tasks: ClassVar[tuple[Task, ...]] = ("classify", "regress")

    name: Literal["cnn"]
    channels: list[PositiveInt] = Field(
        [32, 64], min_length=1, description="of each convolution; pooling halves the sides after it"
    )
    kernel: PositiveInt = Field(3, description="side of the filters, pixels")
    hidden: list[PositiveInt] = Field([128], description="width of each dense layer, units")
    activation: Activation = Field("relu", description="between the layers")
    norm: Norm = Field(
        "none",
        description="after each convolution: none, of a batch, or of groups of each example's "
        "channels, which is the same however a batch is divided over ranks",
    )
    dropout: Probability = Field(0.25, description="probability of dropping a dense layer's unit")

    @property
    def batch_norm(self) -> bool:
        return self.norm == "batch"
