"""Options of the autoencoder."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from hpc_dl.jobspec.coder import Coder
from hpc_dl.jobspec.data import DataFacts
from hpc_dl.jobspec.model import Conflict


class Autoencoder(Coder):
    """Autoencoder: images into a short code and back; compresses, denoises, finds the unusual."""

    name: Literal["autoencoder"]
    use: Literal["compress", "denoise", "anomaly"] = Field(
        "compress",
        description="what for; `anomaly` learns from the classes of `data.include_classes`, and is "
        "tested on telling the others from them",
    )
    noise: Literal["gaussian", "salt_and_pepper", "mask"] = Field(
        "gaussian",
        description="that `denoise` removes: added to every pixel; or it makes some pixels black "
        "or white; or some black",
    )
    noise_level: Annotated[float, Field(gt=0, le=1)] = Field(
        0.5,
        description="standard deviation of `gaussian`, of pixels in [0, 1]; or share of the pixels",
    )

    @property
    def draws(self) -> str:
        return "noise on the images" if self.use == "denoise" else ""

    def monitors(self, facts: DataFacts) -> tuple[str, ...]:
        return ("loss", "psnr", *(("psnr_gain",) if self.use == "denoise" else ()))

    def find_conflict(self, facts: DataFacts) -> Conflict | None:
        if self.use == "anomaly" and not 0 < len(facts.include_classes) < len(facts.classes):
            usual = facts.classes[0] if facts.classes else "CLASS"
            return Conflict(
                "use",
                "what is unusual is learned from some classes alone, and tested on others",
                f"Say which are usual: data.include_classes=[{usual}] (digits, mnist, "
                "fashion_mnist).",
            )
        return None
