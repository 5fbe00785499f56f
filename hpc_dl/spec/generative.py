"""What the options of architectures share that make new images: who judges these."""

from __future__ import annotations

import json
from pathlib import Path
from typing import ClassVar

from pydantic import Field

from hpc_dl.spec.data import DataFacts
from hpc_dl.spec.model import Conflict, Model


class Generative(Model):
    """Options of an architecture that makes new images."""

    paths: ClassVar[tuple[str, ...]] = ("judge",)

    judge: str | None = Field(
        None,
        description="export folder of a trained classifier, in whose features the Fréchet distance "
        "to real images is measured",
    )

    def conflict(self, facts: DataFacts) -> Conflict | None:
        if self.judge is None or (fault := _fault(Path(self.judge), facts)) is None:
            return None
        hint = "Give the folder `export` of a completed run on the same data."
        return Conflict("judge", fault, hint)


def _fault(folder: Path, facts: DataFacts) -> str | None:
    """Why the network in a folder cannot judge images of which `facts` are known."""
    try:
        said = json.loads((folder / "model.json").read_text())
        known, outputs = said["facts"], said["outputs"]
    except (OSError, ValueError, KeyError):
        return f"{folder} holds no trained network"
    if known["kind"] != "image" or "probabilities" not in outputs:
        return f"the network in {folder} does not classify images"
    if tuple(known["shape"]) != facts.shape:
        return f"the network in {folder} takes images of {known['shape']}, not {list(facts.shape)}"
    return None
