"""Options that several architectures share: of image encoders, and of generative models."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, ClassVar, Literal

from pydantic import BaseModel, Field, PositiveInt

from hpc_dl.jobspec.facts import DataFacts
from hpc_dl.jobspec.model import Activation, Conflict, Model
from hpc_dl.jobspec.normalised import Normalised
from hpc_dl.jobspec.only_with import OnlyWith


class Coder(Normalised):
    """Options of an encoder, and of the decoder that mirrors it."""

    latent_dim: PositiveInt = Field(32, description="dimensions of the code")
    network: Literal["dense", "conv"] = Field("conv", description="with convolutions, or without")
    channels: Annotated[list[PositiveInt], OnlyWith("network", ("conv",))] = Field(
        [16, 32],
        description="of the convolutions of `conv`, each of which halves the sides of an image",
    )
    hidden: list[PositiveInt] = Field(
        [256], description="widths of the encoder's dense layers, mirrored in the decoder, units"
    )
    activation: Activation = Field("gelu", description="between the layers")
    residual: bool = Field(
        False,
        description="add to each hidden layer its input, by a linear map where sizes differ; but "
        "not to the decoder's layer from a vector to pictures",
    )

    @property
    def needs_two(self) -> bool:
        return self.batch_norm

    @property
    def normed_widths(self) -> list[int]:
        return self.hidden


class Generative(Model):
    """Options of an architecture that makes new images."""

    paths: ClassVar[tuple[str, ...]] = ("classifier",)

    classifier: str | None = Field(
        None,
        description="export folder of a trained classifier, in whose features the Fréchet distance "
        "to real images is measured",
    )

    def find_file_conflict(self, facts: DataFacts) -> Conflict | None:
        if self.classifier is None or (fault := _fault(Path(self.classifier), facts)) is None:
            return None
        hint = "Give the folder `export` of a completed run on the same data."
        return Conflict("classifier", fault, hint)


class _Export(BaseModel):
    """The fields of an export's `model.json` that matter here."""

    facts: DataFacts
    outputs: dict[str, Any]


def _fault(folder: Path, facts: DataFacts) -> str | None:
    """Return why the network in a folder cannot classify images like those of the data, or None."""
    try:
        export = _Export.model_validate_json((folder / "model.json").read_bytes())
    except FileNotFoundError:
        return f"{folder} holds no trained network"
    except (OSError, ValueError):
        return f"{folder} holds no trained network: model.json in it is damaged"
    known = export.facts
    if known.modality != "image" or "probabilities" not in export.outputs:
        return f"the network in {folder} does not classify images"
    if known.shape != facts.shape:
        return f"the network in {folder} takes images of {[*known.shape]}, not {[*facts.shape]}"
    return None
