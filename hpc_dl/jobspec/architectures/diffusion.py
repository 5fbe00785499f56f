"""Options of the diffusion model."""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal

from pydantic import Field, PositiveInt

from hpc_dl.jobspec.data import DataFacts
from hpc_dl.jobspec.generative import Generative


class Diffusion(Generative):
    """Diffusion model: a U-Net that takes noise away step by step; generates new images."""

    last_is_best: ClassVar[bool] = True

    name: Literal["diffusion"]
    width: Annotated[int, Field(ge=8, multiple_of=8)] = Field(
        48, description="channels of the U-Net's upper level, twice as many below; a multiple of 8"
    )
    blocks: PositiveInt = Field(2, description="residual blocks on each way of the upper level")
    patch: PositiveInt = Field(
        2, description="pixels of a square that the U-Net takes as one, for speed"
    )
    steps: Annotated[int, Field(ge=2)] = Field(1000, description="noise levels trained on")
    sampling_steps: Annotated[int, Field(ge=2)] = Field(
        50, description="steps by which an image is made (DDIM)"
    )

    @property
    def draws(self) -> str:
        return "noise and its levels"

    def monitors(self, facts: DataFacts) -> tuple[str, ...]:
        return ("loss",)
