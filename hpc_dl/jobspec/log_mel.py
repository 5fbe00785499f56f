"""Options of log-mel features, which every network that reads recordings computes first.

They belong to the network, which is exported with them, and takes recordings as they are.
"""

from __future__ import annotations

from typing import Annotated, Self

from pydantic import Field, model_validator

from hpc_dl.jobspec.base import Spec
from hpc_dl.jobspec.model import Model
from hpc_dl.jobspec.only_with import OnlyWith


class LogMel(Spec):
    """Log-mel features of recordings."""

    bands: int = Field(40, ge=2, le=256, description="mel bands, the features of a frame")
    window: float = Field(25.0, ge=1, le=1000, description="length of a frame, ms")
    hop: float = Field(10.0, ge=1, le=1000, description="from a frame to the next, ms")

    @model_validator(mode="after")
    def _frames_meet(self) -> Self:
        if self.hop > self.window:
            raise ValueError(
                f"what lies between frames of {self.window:g} ms that begin every {self.hop:g} ms "
                "would not be heard; hop has to be at most window"
            )
        return self


class ReadsRecordings(Model):
    """Options of a network that reads recordings, among other sequences."""

    name: str
    log_mel: Annotated[LogMel | None, OnlyWith("modality", ("audio",))] = Field(
        None, description="the features of recordings; the defaults of its options if unset"
    )
