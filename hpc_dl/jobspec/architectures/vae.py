"""Options of the variational autoencoder."""

from __future__ import annotations

from typing import Literal

from pydantic import Field, NonNegativeFloat, PositiveInt

from hpc_dl.jobspec.facts import DataFacts
from hpc_dl.jobspec.image_models import Coder
from hpc_dl.jobspec.model import Conflict


class VariationalAutoencoder(Coder):
    """Variational autoencoder: encodes images to a small Gaussian code; generates new ones."""

    name: Literal["vae"]
    conditional: bool = Field(False, description="condition encoder and decoder on the class")
    beta: NonNegativeFloat = Field(1.0, description="weight of the KL term; 1 is the ELBO")
    likelihood: Literal["bernoulli", "gaussian"] = Field(
        "bernoulli", description="of a pixel given the code"
    )
    noise: NonNegativeFloat = Field(
        1.0, description="scale of the sampling noise; 0 decodes the mean, for a deterministic run"
    )
    importance_samples: PositiveInt = Field(
        64, description="codes of each image in the importance-weighted bound, at the end"
    )

    @property
    def draws(self) -> str:
        return "noise on the codes" if self.noise else ""

    def monitors(self, facts: DataFacts) -> tuple[str, ...]:
        return ("loss", "elbo", "reconstruction", "bits_per_dimension")

    def find_conflict(self, facts: DataFacts) -> Conflict | None:
        if self.conditional and not facts.classes:
            hint = "Leave it out, or take data that have classes."
            return Conflict("conditional", "the data have no classes to tell", hint)
        return None
