"""A trained network, from the export folder of its run."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from pydantic import TypeAdapter
from torch import nn

from hpc_dl.errors import UserError
from hpc_dl.spec.data import DataFacts
from hpc_dl.spec.models import ModelSpec
from hpc_dl.zoo import build
from hpc_dl.zoo.contract import Architecture


@dataclass(frozen=True)
class Trained:
    """An architecture with its networks, in evaluation mode and on the CPU."""

    architecture: Architecture
    nets: Mapping[str, nn.Module]
    inputs: Mapping[str, Mapping[str, Any]]
    """The `shape` and the `dtype` of each tensor that `predict` wants."""


def load(folder: Path) -> Trained:
    """What was exported into `folder`. Raises UserError where that is nothing."""
    try:
        said = json.loads((folder / "model.json").read_text())
    except FileNotFoundError:
        raise UserError(
            f"{folder} holds no trained network",
            hint="Give the folder `export` of a completed run.",
        ) from None
    facts = TypeAdapter(DataFacts).validate_python(said["facts"])
    options = TypeAdapter(ModelSpec).validate_python(said["model"])
    architecture = build(options, facts, folder / "code")
    nets = architecture.networks()
    weights = torch.load(folder / "weights.pt", map_location="cpu", weights_only=True)
    for name, net in nets.items():
        net.load_state_dict(weights[name])
        net.eval()
    return Trained(architecture, nets, said["inputs"])
