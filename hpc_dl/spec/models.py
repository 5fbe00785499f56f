"""The options of every architecture of the zoo, and what kinds of data and tasks it accepts.

The light half reads this to check a spec; `zoo/NAME.py` reads it to build the networks.
"""

from __future__ import annotations

from typing import Annotated, Any, ClassVar, Literal

from pydantic import ConfigDict, Discriminator, Field, NonNegativeFloat, PositiveInt, Tag

from hpc_dl.spec.base import Spec, tag_by_name

Kind = Literal["image"]
Task = Literal["classify", "none"]
Activation = Literal["relu", "leaky_relu", "gelu", "silu", "tanh", "sigmoid"]

Probability = Annotated[float, Field(ge=0, lt=1)]


class Model(Spec):
    """What every architecture's options share: the kinds and tasks it accepts."""

    kinds: ClassVar[tuple[Kind, ...]] = ("image",)
    tasks: ClassVar[tuple[Task, ...]] = ("classify", "none")


class FeedForward(Model):
    """Feed-forward network: flatten, then dense layers with an activation between them."""

    tasks: ClassVar[tuple[Task, ...]] = ("classify",)

    name: Literal["ffnn"]
    hidden: list[PositiveInt] = Field([512, 512], description="width of each hidden layer, units")
    activation: Activation = Field("relu", description="between the layers")
    dropout: Probability = Field(0.0, description="probability of dropping a hidden unit")


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


class OwnModel(Model):
    """A user's own architecture, by import path; every other key is handed to it as an option."""

    model_config = ConfigDict(extra="allow")

    name: str = Field(pattern=r"^[^:]+:[A-Za-z_]\w*$", description="my_code.py:MyNet")

    @property
    def options(self) -> dict[str, Any]:
        """What the user wrote beside the name."""
        return dict(self.model_extra or {})


ZOO: dict[str, type[Model]] = {"ffnn": FeedForward, "vae": VariationalAutoencoder}
"""Name → options, in the order in which people read about them."""


ModelSpec = Annotated[
    Annotated[FeedForward, Tag("ffnn")]
    | Annotated[VariationalAutoencoder, Tag("vae")]
    | Annotated[OwnModel, Tag("own")],
    Discriminator(tag_by_name),
]
