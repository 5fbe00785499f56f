"""Predictor: a trained network, loaded from its export, as users call it and MLflow serves it.

from hpc_dl.predictor import load
probabilities = load("~/hpcdl/ffnn-digits-1/export").predict(images)["probabilities"]
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import torch

from hpc_dl.predictor.inputs import Inputs
from hpc_dl.zoo import trained as trained_networks
from hpc_dl.zoo.contract import SHARED, part

CHUNK = 1024
"""Most examples that are predicted at once."""


class Predictor:
    """Predicts with the networks of one export."""

    def __init__(self, folder: Path) -> None:
        trained = trained_networks.load(folder)
        self.architecture, self.nets = trained.architecture, trained.nets
        self.inputs = trained.inputs
        ranges, facts = trained.architecture.ranges(), trained.architecture.facts
        self._taken = Inputs(trained.inputs, ranges, trained.resized, facts.raw, facts.undirected)

    def predict(self, given: Any, params: object = None) -> dict[str, np.ndarray[Any, Any]]:
        """Return predictions by name for an array of examples, or several by the inputs' names.

        The first axis of a prediction is the example; classes have a number, `label`, and a name,
        `class`. A picture is a path, PIL's, or an array of bytes or of floats in [0, 1], (C,
        H, W) or (H, W, C); several are a list or an array. `self.inputs` says which arrays are
        wanted. Raises UserError for what does not fit the network.
        """
        batch = self._taken.batch(given)
        whole = any(name in SHARED for name in batch)
        count = len(next(iter(batch.values())))
        with torch.no_grad():
            parts = [
                self.architecture.predict(self.nets, part(batch, slice(first, first + CHUNK)))
                for first in range(0, 1 if whole else count, CHUNK)
            ]
        outputs = {name: torch.cat([p[name] for p in parts]) for name in parts[0]}
        arrays = {name: tensor.numpy() for name, tensor in outputs.items()}
        return {**arrays, **self.architecture.decode(outputs)}


def load(folder: str | Path) -> Predictor:
    """Load the predictor in an export folder."""
    return Predictor(Path(folder).expanduser())


_load_pyfunc = load
"""The name under which MLflow looks for a loader."""
