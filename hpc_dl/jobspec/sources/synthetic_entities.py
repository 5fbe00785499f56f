"""Options of synthetic sentences with named entities."""

from __future__ import annotations

from typing import ClassVar, Literal

from pydantic import Field, NonNegativeInt, PositiveInt

from hpc_dl.jobspec.tagged import Tagged


class SyntheticEntities(Tagged):
    """Synthetic sentences with invented names of people, places and companies."""

    drawn: ClassVar[tuple[str, ...]] = ()

    name: Literal["synthetic_entities"]
    examples: PositiveInt = Field(
        400, ge=20, description="training sentences; a quarter as many for validation and test"
    )
    seed: NonNegativeInt = Field(0, description="decides the sentences")
