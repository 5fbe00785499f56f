"""Options of the diffusion model."""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal

from pydantic import Field, PositiveInt

from hpc_dl.jobspec.facts import DataFacts
from hpc_dl.jobspec.image_models import Generative


class Diffusion(Generative):
    """Diffusion model (DDPM): a U-Net that removes noise step by step; generates new images."""

    last_is_best: ClassVar[bool] = True

    name: Literal["diffusion"]
    width: Annotated[int, Field(ge=8, multiple_of=8)] = Field(
        48,
        description="channels of the U-Net at full resolution, twice as many at the lower one; a "
        "multiple of 8",
    )
    blocks: PositiveInt = Field(
        2, description="residual blocks at full resolution, on the way down and on the way up"
    )
    patch: PositiveInt = Field(
        2, description="side of the square of pixels that the U-Net takes as one, for speed"
    )
    steps: Annotated[int, Field(ge=2)] = Field(1000, description="time steps of the noise schedule")
    sampling_steps: Annotated[int, Field(ge=2)] = Field(
        50, description="time steps by which an image is sampled (DDIM)"
    )

    @property
    def draws(self) -> str:
        return "noise and time steps"

    def monitors(self, facts: DataFacts) -> tuple[str, ...]:
        return ("loss",)
