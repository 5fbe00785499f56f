"""Options of the long short-term memory."""

from __future__ import annotations

from typing import ClassVar, Literal

from pydantic import Field, PositiveInt

from hpc_dl.jobspec.data import DataFacts
from hpc_dl.jobspec.model import Conflict, Modality, Model, Probability, Task


class LongShortTermMemory(Model):
    """LSTM or GRU: a recurrent network with gates, which remembers longer."""

    modalities: ClassVar[tuple[Modality, ...]] = ("image", "sequence", "text")
    tasks: ClassVar[tuple[Task, ...]] = ("classify", "regress", "predict_next")
    recurrent: ClassVar[bool] = True

    name: Literal["lstm"]
    cell: Literal["lstm", "gru"] = Field("lstm", description="with a memory of its own, or without")
    hidden: PositiveInt = Field(128, description="numbers in the state of a layer, units")
    layers: PositiveInt = Field(1, description="each reads the states of the one before")
    bidirectional: bool = Field(False, description="read backwards as well, with other weights")
    dropout: Probability = Field(
        0.1, description="probability of dropping a unit between layers and of the last state"
    )

    def find_conflict(self, facts: DataFacts) -> Conflict | None:
        if not self.bidirectional or facts.task != "predict_next":
            return None
        return Conflict(
            "bidirectional",
            "a network that reads backwards has seen the character that it is to predict",
            "Leave it out.",
        )
