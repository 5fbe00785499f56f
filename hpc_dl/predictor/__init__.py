"""Predictor: a trained network, loaded from its export, as users call it and MLflow serves it.

from hpc_dl.predictor import load
probabilities = load("~/hpcdl/ffnn-digits-1/export").predict(images)["probabilities"]
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import fields
from pathlib import Path
from typing import Any

import numpy as np
import torch
from pydantic import BaseModel, TypeAdapter, ValidationError

from hpc_dl.data.faults import resolve_home
from hpc_dl.errors import UserError
from hpc_dl.jobspec.faults import find_faults
from hpc_dl.jobspec.suggestions import closest
from hpc_dl.predictor import raw
from hpc_dl.zoo import trained as trained_networks
from hpc_dl.zoo.contract import SHARED, Batch, take

CHUNK = 1024
"""Most examples that are predicted at once."""


class Predictor:
    """Predicts with the networks of one export, on the CPU or another device."""

    def __init__(self, folder: Path, device: torch.device | str = "cpu") -> None:
        trained = trained_networks.load(folder)
        self.architecture, self.device = trained.architecture, torch.device(device)
        self.nets = {name: net.to(self.device) for name, net in trained.nets.items()}
        self.inputs = trained.inputs
        self._raw = raw.of(trained, folder / "assets")

    def predict(
        self, given: Any, params: Mapping[str, Any] | None = None
    ) -> dict[str, np.ndarray[Any, Any]]:
        """Return predictions by name for an array of examples, or several by the inputs' names.

        The first axis of a prediction is the example; classes have a number, `label`, and a name,
        `class`. A picture is a path, PIL's, or an array of bytes or of floats in [0, 1], (C,
        H, W) or (H, W, C); several are a list or an array. Texts are strings, each of which has a
        `continuation`; `params` for them are those of `Sampling`: length, temperature, top_k, top_p
        and seed. `self.inputs` says which arrays are wanted. Raises UserError for what does not fit
        the network.
        """
        self.set_params(params or {})
        return self.predict_batch(self.batch(given))

    def batch(self, given: Any) -> Batch:
        """Return the tensors for `predict_batch`, on the CPU; raises as `predict` does."""
        return self._raw.batch(given)

    def predict_batch(self, batch: Batch) -> dict[str, np.ndarray[Any, Any]]:
        """Return predictions by name for a batch, as `predict` does."""
        whole = any(name in SHARED for name in batch)
        count = len(next(iter(batch.values())))
        batch = {name: tensor.to(self.device) for name, tensor in batch.items()}
        with torch.no_grad():
            parts = [
                self.architecture.predict(self.nets, take(batch, slice(first, first + CHUNK)))
                for first in range(0, 1 if whole else count, CHUNK)
            ]
        outputs = {name: torch.cat([p[name] for p in parts]).cpu() for name in parts[0]}
        arrays = {name: tensor.numpy() for name, tensor in outputs.items()}
        return {**arrays, **self.architecture.decode(outputs)}

    def set_params(self, params: Mapping[str, Any]) -> None:
        """Set the options of predictions. Raises UserError for one that is unknown or out of
        range."""
        task = self.architecture.task
        if task is None or task.params is None:
            if params:
                raise UserError(f"these predictions have no options, but got {', '.join(params)}")
            return
        try:
            task.params = TypeAdapter(type(task.params)).validate_python(dict(params))
        except ValidationError as error:
            raise _fault_of_params(error, params, [it.name for it in fields(task.params)]) from None


def _fault_of_params(
    error: ValidationError, params: Mapping[str, Any], known: Sequence[str]
) -> UserError:
    first = find_faults(error, params, BaseModel)[0]
    name = ".".join(map(str, first.path))
    if name in known:
        return UserError(first.message)
    return UserError(
        f"these predictions have no option '{name}'{closest(name, known)}",
        hint=f"There are: {', '.join(known)}",
    )


def load(folder: str | Path) -> Predictor:
    """Load the predictor in an export folder."""
    return Predictor(resolve_home("export", folder))


_load_pyfunc = load
"""The name under which MLflow looks for a loader."""
