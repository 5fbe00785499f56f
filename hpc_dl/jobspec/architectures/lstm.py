"""Options of the long short-term memory."""

from __future__ import annotations

from typing import ClassVar, Literal

from pydantic import Field, PositiveInt

from hpc_dl.jobspec.model import Kind, Model, Probability, Task


class LongShortTermMemory(Model):
    """LSTM or GRU: a recurrent network with gates, for long sequences."""

    kinds: ClassVar[tuple[Kind, ...]] = ("image", "sequence")
    tasks: ClassVar[tuple[Task, ...]] = ("classify", "regress")

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
