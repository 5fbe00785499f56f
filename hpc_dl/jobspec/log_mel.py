"""Options of log-mel features, which every network that reads recordings computes first.

They belong to the network, which is exported with them, and takes recordings as they are.
"""

from __future__ import annotations

from typing import Annotated

from pydantic import Field, PositiveFloat

from hpc_dl.jobspec.base import Spec
from hpc_dl.jobspec.model import Model
from hpc_dl.jobspec.only_with import OnlyWith


class LogMel(Spec):
    """Log-mel features of recordings."""

    bands: int = Field(40, ge=2, le=256, description="mel bands, the features of a frame")
    window: PositiveFloat = Field(25.0, description="length of a frame, ms")
    hop: PositiveFloat = Field(10.0, description="from a frame to the next, ms")


class ReadsRecordings(Model):
    """Options of a network that reads recordings, among other sequences."""

    name: str
    log_mel: Annotated[LogMel | None, OnlyWith("modality", ("audio",))] = Field(
        None, description="the features of recordings; the defaults of its options if unset"
    )
