"""Options of the feed-forward network."""

from __future__ import annotations

from typing import ClassVar, Literal

from pydantic import Field, PositiveInt

from hpc_dl.jobspec.facts import DataFacts, Modality, Task
from hpc_dl.jobspec.model import Activation, Conflict, Probability
from hpc_dl.jobspec.normalised import Normalised


class FeedForward(Normalised):
    """Feed-forward network: flatten, then dense layers with an activation between them."""

    modalities: ClassVar[tuple[Modality, ...]] = ("image", "sequence", "table")
    tasks: ClassVar[tuple[Task, ...]] = ("classify", "regress", "forecast")

    name: Literal["ffnn"]
    hidden: list[PositiveInt] = Field([512, 512], description="width of each hidden layer, units")
    activation: Activation = Field("relu", description="between the layers")
    dropout: Probability = Field(0.0, description="probability of dropping a hidden unit")

    @property
    def needs_two(self) -> bool:
        return self.batch_norm

    @property
    def normed_widths(self) -> list[int]:
        return self.hidden

    def find_conflict(self, facts: DataFacts) -> Conflict | None:
        if not facts.is_ragged:
            return None
        return Conflict(
            "name",
            "ffnn takes examples of one length, and these differ",
            "Of any length take cnn, rnn, lstm or transformer.",
        )
