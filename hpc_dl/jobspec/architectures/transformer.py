"""Options of the attention encoder."""

from __future__ import annotations

from typing import Annotated, Literal, Self

from pydantic import Field, PositiveInt, model_validator

from hpc_dl.jobspec.facts import DataFacts
from hpc_dl.jobspec.model import Conflict, Probability
from hpc_dl.jobspec.only_with import OnlyWith
from hpc_dl.jobspec.sequence_model import SequenceModel


class Transformer(SequenceModel):
    """Transformer: self-attention over the patches of an image (ViT) or the steps of a sequence."""

    name: Literal["transformer"]
    patch: Annotated[PositiveInt, OnlyWith("modality", ("image",))] = Field(
        4, description="side of the square patches of an image, pixels"
    )
    width: PositiveInt = Field(64, description="size of the embeddings, units")
    depth: PositiveInt = Field(4, description="layers")
    heads: PositiveInt = Field(4, description="attention heads, which share the width")
    feedforward: PositiveInt = Field(128, description="width of the feed-forward networks, units")
    dropout: Probability = Field(0.1, description="probability of dropping a unit of a layer")

    @model_validator(mode="after")
    def _heads_share_the_width(self) -> Self:
        if self.width % self.heads:
            raise ValueError(f"{self.heads} heads cannot share a width of {self.width}")
        return self

    def find_conflict(self, facts: DataFacts) -> Conflict | None:
        sides = facts.shape[-2:]
        if facts.modality != "image" or all(side % self.patch == 0 for side in sides):
            return None
        fits = [str(n) for n in range(1, min(sides) + 1) if all(side % n == 0 for side in sides)]
        return Conflict(
            "patch",
            f"{sides[0]} x {sides[1]} pixels are not cut into squares of {self.patch} x "
            f"{self.patch}",
            f"These do: {', '.join(fits)}.",
        )
