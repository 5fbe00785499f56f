"""Options of the autoencoder."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from hpc_dl.jobspec.facts import DataFacts
from hpc_dl.jobspec.image_models import Coder
from hpc_dl.jobspec.model import Conflict
from hpc_dl.jobspec.only_with import OnlyWith


class Autoencoder(Coder):
    """Autoencoder: encodes images to a short code; compresses, denoises, detects anomalies."""

    name: Literal["autoencoder"]
    use: Literal["compress", "denoise", "anomaly"] = Field(
        "compress",
        description="purpose; `anomaly` is trained on the classes of `data.include_classes`, and "
        "tested on detecting the others",
    )
    noise: Annotated[
        Literal["gaussian", "salt_and_pepper", "mask"], OnlyWith("use", ("denoise",))
    ] = Field(
        "gaussian",
        description="noise that `denoise` removes: added to every pixel; or some pixels are set to "
        "black or white; or some to black",
    )
    noise_level: Annotated[float, Field(gt=0, le=1), OnlyWith("use", ("denoise",))] = Field(
        0.5,
        description="standard deviation of `gaussian`, of pixels in [0, 1]; or fraction of the "
        "pixels",
    )

    @property
    def draws(self) -> str:
        return "noise on the images" if self.use == "denoise" else ""

    def monitors(self, facts: DataFacts) -> tuple[str, ...]:
        return ("loss", "psnr", *(("psnr_gain",) if self.use == "denoise" else ()))

    def find_conflict(self, facts: DataFacts) -> Conflict | None:
        if self.use == "anomaly" and not 0 < len(facts.include_classes) < len(facts.classes):
            normal = facts.classes[0] if facts.classes else "CLASS"
            return Conflict(
                "use",
                "anomalies are classes that are tested on, but not trained on",
                f"Name the normal classes: data.include_classes=[{normal}] (digits, mnist, "
                "fashion_mnist).",
            )
        return None
