"""Options of the convolutional network."""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal

from pydantic import Field, PositiveInt

from hpc_dl.jobspec.facts import DataFacts, Modality, Task
from hpc_dl.jobspec.log_mel import ReadsRecordings
from hpc_dl.jobspec.model import Activation, Conflict, Norm, Probability
from hpc_dl.jobspec.only_with import OnlyWith
from hpc_dl.jobspec.random_field import TagsWords


class Convolutional(ReadsRecordings, TagsWords):
    """Convolutional network (LeNet): convolutions and pooling in turn, then dense layers; over the
    pixels of images, or the steps of sequences and texts."""

    modalities: ClassVar[tuple[Modality, ...]] = (
        "image",
        "sequence",
        "text",
        "audio",
        "music",
    )
    tasks: ClassVar[tuple[Task, ...]] = ("classify", "regress", "forecast", "tag")

    name: Literal["cnn"]
    channels: list[PositiveInt] = Field(
        [32, 64], min_length=1, description="of each convolution; pooling halves the sides after it"
    )
    kernel: PositiveInt = Field(3, description="side of the filters, pixels, or steps")
    embedding: Annotated[PositiveInt, OnlyWith("modality", ("text",))] = Field(
        64, description="size of the vectors of tokens, of texts"
    )
    hidden: list[PositiveInt] = Field([128], description="width of each dense layer, units")
    activation: Activation = Field("relu", description="between the layers")
    norm: Norm = Field(
        "none",
        description="after each convolution: none, of a batch, or of groups of each example's "
        "channels, which is the same however a batch is divided over ranks",
    )
    residual: bool = Field(
        False,
        description="add to each convolution its input, by a linear map where channels differ",
    )
    dropout: Probability = Field(0.25, description="probability of dropping a dense layer's unit")

    @property
    def batch_norm(self) -> bool:
        return self.norm == "batch"

    def find_conflict(self, facts: DataFacts) -> Conflict | None:
        if facts.modality == "image" or self.norm == "none":
            return None
        return Conflict(
            "norm",
            "statistics over the steps of sequences would depend on how much they are padded",
            "Leave it out.",
        )
