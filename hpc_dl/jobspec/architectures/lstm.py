"""Options of the long short-term memory."""

from __future__ import annotations

from typing import ClassVar, Literal

from pydantic import Field, PositiveInt

from hpc_dl.jobspec.data import DataFacts
from hpc_dl.jobspec.model import Conflict, Modality, Model, Probability, Task


class LongShortTermMemory(Model):
    """LSTM or GRU: a recurrent network with gates, for long sequences."""

    modalities: ClassVar[tuple[Modality, ...]] = ("image", "sequence", "text")
    tasks: ClassVar[tuple[Task, ...]] = ("classify", "regress", "predict_next")
    recurrent: ClassVar[bool] = True

    name: Literal["lstm"]
    cell: Literal["lstm", "gru"] = Field(
        "lstm", description="with a memory cell, or the smaller GRU"
    )
    hidden: PositiveInt = Field(128, description="hidden size of a layer, units")
    layers: PositiveInt = Field(1, description="stacked layers")
    bidirectional: bool = Field(
        False, description="read backwards as well, with weights of its own"
    )
    dropout: Probability = Field(
        0.1, description="probability of dropping a unit between layers and before the outputs"
    )

    def find_conflict(self, facts: DataFacts) -> Conflict | None:
        if not self.bidirectional or facts.task != "predict_next":
            return None
        return Conflict(
            "bidirectional",
            "a network that reads backwards has seen the character that it is to predict",
            "Leave it out.",
        )
