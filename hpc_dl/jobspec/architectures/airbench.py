"""Options of the network of airbench."""

from __future__ import annotations

from typing import ClassVar, Literal

from pydantic import Field, PositiveInt

from hpc_dl.jobspec.facts import DataFacts, Task
from hpc_dl.jobspec.model import Conflict, Model


class Airbench(Model):
    """Convolutional network that learns CIFAR-10 within seconds (airbench): whitened pixels, and
    blocks of two convolutions with batch normalisation."""

    tasks: ClassVar[tuple[Task, ...]] = ("classify", "regress")

    name: Literal["airbench"]
    channels: list[PositiveInt] = Field(
        [64, 256, 256], min_length=1, description="of each block, which halves the sides"
    )
    mirror: bool = Field(
        False,
        description="evaluate and predict by the mean of the outputs for a picture and for its "
        "mirror image",
    )

    @property
    def batch_norm(self) -> bool:
        return True

    @property
    def needs_two(self) -> bool:
        return True  # of small pictures a single pixel is left

    def find_conflict(self, facts: DataFacts) -> Conflict | None:
        least = 2 ** len(self.channels) + 1
        if min(facts.shape[1:]) >= least:
            return None
        return Conflict(
            "channels",
            f"so many blocks need pictures of {least} x {least} pixels, for each halves the sides",
            "Give fewer numbers, one for each block.",
        )
