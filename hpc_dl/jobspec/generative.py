"""Options of generative architectures: the classifier that evaluates what they make."""

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
    if known.kind != "image" or "probabilities" not in export.outputs:
        return f"the network in {folder} does not classify images"
    if known.shape != facts.shape:
        return f"the network in {folder} takes images of {[*known.shape]}, not {[*facts.shape]}"
    return None
