"""Options that every source of music has."""

from __future__ import annotations

from typing import ClassVar

from pydantic import Field, PositiveInt

from hpc_dl.jobspec.data import RaggedData
from hpc_dl.jobspec.facts import Modality, Task


class MusicData(RaggedData):
    """Options of pieces of music, of which each next frame is predicted."""

    modalities: ClassVar[tuple[Modality, ...]] = ("music",)
    tasks: ClassVar[tuple[Task, ...]] = ("predict_notes",)

    name: str
    length: PositiveInt = Field(
        256, description="most frames of an example; longer pieces are cut into several"
    )
    carry_state: bool = Field(
        False,
        description="read on from batch to batch, each row from where it ended, and carry "
        "recurrent states over (truncated back-propagation through time); a state begins anew with "
        "each piece",
    )

    @property
    def carries_state(self) -> bool:
        return self.carry_state
