"""Options of the long short-term memory."""

from __future__ import annotations

from typing import ClassVar, Literal

from pydantic import Field, PositiveInt

from hpc_dl.jobspec.facts import DataFacts
from hpc_dl.jobspec.model import (
    Conflict,
    Pooling,
    Probability,
)
from hpc_dl.jobspec.sequence_model import SequenceModel

CAUSAL = ("predict_next", "predict_notes")
"""Tasks that predict how a sequence goes on."""


class LongShortTermMemory(SequenceModel):
    """LSTM or GRU: a recurrent network with gates, for long sequences."""

    recurrent: ClassVar[bool] = True

    name: Literal["lstm"]
    cell: Literal["lstm", "gru"] = Field(
        "lstm", description="with a memory cell, or the smaller GRU"
    )
    hidden: PositiveInt = Field(128, description="hidden size of a layer, units")
    layers: PositiveInt = Field(1, description="stacked layers")
    pooling: Pooling = Field(
        "last",
        description="what the outputs for a sequence are computed of: its last state, or the mean "
        "or the maximum of its states",
    )
    bidirectional: bool = Field(
        False, description="read backwards as well, with weights of its own"
    )
    dropout: Probability = Field(
        0.1,
        description="probability of dropping a unit between layers and before the outputs, and a "
        "number of the vector of a token",
    )

    def find_conflict(self, facts: DataFacts) -> Conflict | None:
        if not self.bidirectional or facts.task not in CAUSAL:
            return None
        return Conflict(
            "bidirectional",
            "a network that reads backwards has seen what it is to predict",
            "Leave it out.",
        )
