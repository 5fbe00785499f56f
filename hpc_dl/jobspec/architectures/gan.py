"""Options of the generative adversarial network."""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal

from pydantic import Field, NonNegativeFloat, PositiveInt

from hpc_dl.jobspec.facts import DataFacts
from hpc_dl.jobspec.image_models import Generative
from hpc_dl.jobspec.model import Conflict
from hpc_dl.jobspec.only_with import OnlyWith


class GenerativeAdversarial(Generative):
    """Generative adversarial network (DCGAN): a convolutional generator of images, and a critic
    that learns to tell them from real ones."""

    adversarial: ClassVar[bool] = True
    last_is_best: ClassVar[bool] = True

    name: Literal["gan"]
    loss: Literal["non-saturating", "wasserstein-gp", "hinge"] = Field(
        "non-saturating", description="loss of the two networks"
    )
    latent_dim: PositiveInt = Field(64, description="dimensions of the code, which is Gaussian")
    channels: list[PositiveInt] = Field(
        [32, 64],
        min_length=1,
        description="of the critic's convolutions, each of which halves the sides; mirrored in "
        "the generator",
    )
    critic_steps: PositiveInt = Field(
        1, description="updates of the critic for one of the generator"
    )
    penalty: Annotated[NonNegativeFloat, OnlyWith("loss", ("wasserstein-gp",))] = Field(
        10.0, description="weight of the gradient penalty; for wasserstein-gp alone"
    )

    def monitors(self, facts: DataFacts) -> tuple[str, ...]:
        return ()

    @property
    def draws(self) -> str:
        return "codes"

    @property
    def divisible(self) -> bool:
        return self.loss != "wasserstein-gp"

    def find_conflict(self, facts: DataFacts) -> Conflict | None:
        smaller, halvings = min(facts.shape[1:]), len(self.channels)
        if smaller >> halvings:
            return None
        return Conflict(
            "channels",
            f"a side of {smaller} pixels cannot be halved {halvings} times",
            "Give fewer convolutions.",
        )
