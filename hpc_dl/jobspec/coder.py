"""Options of architectures that encode images."""

from __future__ import annotations

from typing import Literal

from pydantic import Field, PositiveInt

from hpc_dl.jobspec.model import Activation, Model


class Coder(Model):
    """Options of an encoder, and of the decoder that mirrors it."""

    latent_dim: PositiveInt = Field(32, description="dimensions of the code")
    network: Literal["dense", "conv"] = Field("conv", description="with convolutions, or without")
    channels: list[PositiveInt] = Field(
        [16, 32],
        description="of the convolutions of `conv`, each of which halves the sides of an image",
    )
    hidden: list[PositiveInt] = Field(
        [256], description="widths of the encoder's dense layers, mirrored in the decoder, units"
    )
    activation: Activation = Field("gelu", description="between the layers")
