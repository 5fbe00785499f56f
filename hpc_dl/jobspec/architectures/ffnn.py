"""Options of the feed-forward network."""

from __future__ import annotations

from typing import ClassVar, Literal

from pydantic import Field, PositiveInt

from hpc_dl.jobspec.data import DataFacts
from hpc_dl.jobspec.model import Activation, Conflict, Modality, Model, Norm, Probability, Task


class FeedForward(Model):
    """Feed-forward network: flatten, then dense layers with an activation between them."""

    modalities: ClassVar[tuple[Modality, ...]] = ("image", "sequence", "table")
    tasks: ClassVar[tuple[Task, ...]] = ("classify", "regress", "forecast")

    name: Literal["ffnn"]
    hidden: list[PositiveInt] = Field([512, 512], description="width of each hidden layer, units")
    activation: Activation = Field("relu", description="between the layers")
    norm: Norm = Field(
        "none",
        description="after each hidden layer: none, of a batch, or of groups of each example's "
        "units, which is the same however a batch is divided over ranks",
    )
    residual: bool = Field(
        False,
        description="add to each hidden layer its input, by a linear map where widths differ",
    )
    dropout: Probability = Field(0.0, description="probability of dropping a hidden unit")

    @property
    def batch_norm(self) -> bool:
        return self.norm == "batch"

    @property
    def needs_two(self) -> bool:
        return self.batch_norm

    def find_conflict(self, facts: DataFacts) -> Conflict | None:
        if not facts.is_ragged:
            return None
        return Conflict(
            "name",
            "ffnn takes examples of one length, and these differ",
            "Of any length take cnn, rnn, lstm or transformer.",
        )
