"""What the options of architectures share that make new images: who judges these."""

from __future__ import annotations

from pathlib import Path
from typing import Any, ClassVar

from pydantic import BaseModel, Field

from hpc_dl.jobspec.data import DataFacts
from hpc_dl.jobspec.model import Conflict, Model


class Generative(Model):
    """Options of an architecture that makes new images."""

    paths: ClassVar[tuple[str, ...]] = ("classifier",)

    classifier: str | None = Field(
        None,
        description="export folder of a trained classifier, in whose features the Fréchet distance "
        "to real images is measured",
    )

    def conflict(self, facts: DataFacts) -> Conflict | None:
        if self.classifier is None or (fault := _fault(Path(self.classifier), facts)) is None:
            return None
        hint = "Give the folder `export` of a completed run on the same data."
        return Conflict("classifier", fault, hint)


class _Export(BaseModel):
    """What is to be known here of the `model.json` of an export."""

    facts: DataFacts
    outputs: dict[str, Any]


def _fault(folder: Path, facts: DataFacts) -> str | None:
    """Why the network in a folder cannot classifier images of which `facts` are known."""
    try:
        said = _Export.model_validate_json((folder / "model.json").read_bytes())
    except FileNotFoundError:
        return f"{folder} holds no trained network"
    except (OSError, ValueError):
        return f"{folder} holds no trained network: model.json in it is damaged"
    known = said.facts
    if known.kind != "image" or "probabilities" not in said.outputs:
        return f"the network in {folder} does not classify images"
    if known.shape != facts.shape:
        return f"the network in {folder} takes images of {[*known.shape]}, not {[*facts.shape]}"
    return None
