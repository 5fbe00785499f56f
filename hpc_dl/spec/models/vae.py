"""Options of the variational autoencoder."""

from __future__ import annotations

from typing import Literal

from pydantic import Field, NonNegativeFloat, PositiveInt

from hpc_dl.spec.model import Activation, Model


class VariationalAutoencoder(Model):
    """Variational autoencoder: images into a small Gaussian code and back; generates new ones."""

    name: Literal["vae"]
    latent_dim: PositiveInt = Field(16, description="dimensions of the code")
    hidden: list[PositiveInt] = Field(
        [512, 256], description="widths of the encoder's layers, mirrored in the decoder, units"
    )
    activation: Activation = Field("relu", description="between the layers")
    beta: NonNegativeFloat = Field(1.0, description="weight of the KL term; 1 is the ELBO")
    likelihood: Literal["bernoulli", "gaussian"] = Field(
        "bernoulli", description="of a pixel given the code"
    )
    noise: NonNegativeFloat = Field(
        1.0, description="scale of the sampling noise; 0 decodes the mean, for a deterministic run"
    )
