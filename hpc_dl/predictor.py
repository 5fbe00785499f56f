"""A trained network, loaded from its export: what a user calls, and what MLflow serves.

from hpc_dl.predictor import load
probabilities = load("~/hpcdl/ffnn-digits-1/export").predict(images)["probabilities"]
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import torch
from pydantic import TypeAdapter

from hpc_dl.errors import UserError
from hpc_dl.spec.data import DataFacts
from hpc_dl.spec.models import ModelSpec
from hpc_dl.zoo import build

CHUNK = 1024
"""Examples that are predicted at once."""


class Predictor:
    """Predicts with the networks of one export."""

    def __init__(self, folder: Path) -> None:
        try:
            said = json.loads((folder / "model.json").read_text())
        except FileNotFoundError:
            raise UserError(
                f"{folder} holds no trained network",
                hint="Give the folder `export` of a completed run.",
            ) from None
        facts = TypeAdapter(DataFacts).validate_python(said["facts"])
        options = TypeAdapter(ModelSpec).validate_python(said["model"])
        self.architecture = build(options, facts, folder / "code")
        self.nets = self.architecture.networks()
        weights = torch.load(folder / "weights.pt", map_location="cpu", weights_only=True)
        for name, net in self.nets.items():
            net.load_state_dict(weights[name])
            net.eval()
        self.shape = tuple(said["input"]["shape"][1:])

    def predict(self, images: Any, params: object = None) -> dict[str, np.ndarray[Any, Any]]:
        """Images (B, C, H, W) in [0, 1], or anything that reshapes to it, to arrays by name.

        Raises UserError where the images have another number of pixels than those trained on.
        """
        batch = np.ascontiguousarray(images, dtype=np.float32)
        try:
            batch = batch.reshape(-1, *self.shape)
        except ValueError:
            raise UserError(
                f"images of shape {batch.shape[1:]} do not fit a network of {self.shape}"
            ) from None
        with torch.no_grad():
            parts = [
                self.architecture.predict(self.nets, {"image": part})
                for part in torch.from_numpy(batch).split(CHUNK)
            ]
        return {name: torch.cat([p[name] for p in parts]).numpy() for name in parts[0]}


def load(folder: str | Path) -> Predictor:
    """The predictor in an export folder."""
    return Predictor(Path(folder).expanduser())


_load_pyfunc = load
"""The name under which MLflow looks for a loader."""
