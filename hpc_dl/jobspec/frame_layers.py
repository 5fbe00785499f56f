"""Options of the convolutions that make a vector of each frame of a video, before a network that
reads sequences."""

from __future__ import annotations

from typing import Annotated

from pydantic import AfterValidator, Field, PositiveInt

from hpc_dl.jobspec.base import Spec
from hpc_dl.jobspec.model import Model
from hpc_dl.jobspec.only_with import OnlyWith


def _odd(count: int) -> int:
    if count % 2 == 0:
        raise ValueError(f"{count} frames have no middle one: take an odd number")
    return count


class FrameLayers(Spec):
    """Convolutions over the frames of a video."""

    channels: list[PositiveInt] = Field(
        [16, 32, 64], min_length=1, description="of each convolution, which halves the sides"
    )
    span: Annotated[PositiveInt, AfterValidator(_odd)] = Field(
        3,
        description="consecutive frames that the first convolution sees at once, so that the "
        "vector of a frame may tell of motion; 1 sees each frame alone",
    )


class ReadsVideo(Model):
    """Options of a network that reads videos, among other sequences."""

    name: str
    frames: Annotated[FrameLayers | None, OnlyWith("modality", ("video",))] = Field(
        None, description="convolutions over the frames of videos; their defaults if unset"
    )
