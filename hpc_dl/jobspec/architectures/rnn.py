"""Options of the recurrent network."""

from __future__ import annotations

from typing import ClassVar, Literal

from pydantic import Field, PositiveInt

from hpc_dl.jobspec.model import (
    Pooling,
    Probability,
)
from hpc_dl.jobspec.sequence_model import SequenceModel


class Recurrent(SequenceModel):
    """Recurrent network (Elman): reads a sequence, or an image row by row."""

    recurrent: ClassVar[bool] = True

    name: Literal["rnn"]
    hidden: PositiveInt = Field(128, description="hidden size of a layer, units")
    layers: PositiveInt = Field(1, description="stacked layers")
    pooling: Pooling = Field(
        "last",
        description="what the outputs for a sequence are computed of: its last state, or the mean "
        "or the maximum of its states",
    )
    activation: Literal["tanh", "relu"] = Field(
        "tanh", description="f of h(t) = f(W x(t) + U h(t-1) + b)"
    )
    dropout: Probability = Field(
        0.0, description="probability of dropping a unit before the outputs"
    )
