"""A trained network, loaded from its export: what a user calls, and what MLflow serves.

from hpc_dl.predictor import load
probabilities = load("~/hpcdl/ffnn-digits-1/export").predict(images)["probabilities"]
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from hpc_dl.errors import UserError
from hpc_dl.zoo import trained as trained_networks
from hpc_dl.zoo.contract import SHARED, part

CHUNK = 1024
"""Examples that are predicted at once."""


class Predictor:
    """Predicts with the networks of one export."""

    def __init__(self, folder: Path) -> None:
        trained = trained_networks.load(folder)
        self.architecture, self.nets = trained.architecture, trained.nets
        self.inputs = trained.inputs

    def predict(self, given: Any, params: object = None) -> dict[str, np.ndarray[Any, Any]]:
        """Arrays by name for examples: an array, or several by the names of the inputs.

        An image is (C, H, W) in [0, 1], or anything that reshapes to it; all of `self.inputs` says
        what is wanted. Raises UserError for arrays that do not fit the network.
        """
        batch = self._batch(given)
        whole = any(name in SHARED for name in batch)
        count = len(next(iter(batch.values())))
        with torch.no_grad():
            parts = [
                self.architecture.predict(self.nets, part(batch, slice(first, first + CHUNK)))
                for first in range(0, 1 if whole else count, CHUNK)
            ]
        return {name: torch.cat([p[name] for p in parts]).numpy() for name in parts[0]}

    def _batch(self, given: Any) -> dict[str, Tensor]:
        if not isinstance(given, Mapping):
            given = {next(iter(self.inputs)): given}
        if set(given) != set(self.inputs):
            raise UserError(f"the network wants {', '.join(self.inputs)}, not {', '.join(given)}")
        return {name: self._tensor(name, given[name]) for name in self.inputs}

    def _tensor(self, name: str, given: Any) -> Tensor:
        shape, dtype = self.inputs[name]["shape"], self.inputs[name]["dtype"]
        array = np.ascontiguousarray(given, dtype=dtype)
        try:
            return torch.from_numpy(array.reshape(*shape))
        except ValueError:
            raise UserError(
                f"{name} of shape {array.shape} does not fit a network of {tuple(shape[1:])}"
            ) from None


def load(folder: str | Path) -> Predictor:
    """The predictor in an export folder."""
    return Predictor(Path(folder).expanduser())


_load_pyfunc = load
"""The name under which MLflow looks for a loader."""
