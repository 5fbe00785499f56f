"""Weights and options of trained networks, in the export folder of a run."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import safetensors.torch
import torch
from pydantic import BaseModel, ValidationError
from torch import Tensor, nn

from hpc_dl.errors import UserError, reason
from hpc_dl.jobspec import renames
from hpc_dl.jobspec.architectures import ModelSpec
from hpc_dl.jobspec.facts import DataFacts
from hpc_dl.jobspec.model import Model
from hpc_dl.zoo import build
from hpc_dl.zoo.contract import Architecture
from hpc_dl.zoo.option_files import resolve

WEIGHTS, TORCH_WEIGHTS = "weights.safetensors", "weights.pt"
"""The weights file; torch's own format is for exports of old versions, and sparse tensors."""


@dataclass(frozen=True)
class Trained:
    """An architecture with its trained networks, in evaluation mode and on the CPU."""

    architecture: Architecture
    nets: Mapping[str, nn.Module]
    inputs: Mapping[str, Mapping[str, Any]]
    """`shape` and `dtype` of each input of `predict`."""
    resized: bool
    """True if the training data's source resized pictures to the network's size."""


class _Array(BaseModel):
    """An input of the network; -1 is any size."""

    shape: list[int]
    dtype: Literal["float32", "float64", "int64", "int32", "uint8", "bool"]


class _Description(BaseModel):
    """Content of `model.json`."""

    model: ModelSpec
    facts: DataFacts
    inputs: dict[str, _Array]
    resized: bool = False
    files: list[str] = []
    """Options of the model that name files in the export."""


def load(folder: Path) -> Trained:
    """Load an export folder. Raises UserError if it holds no export, or a damaged one."""
    description = folder / "model.json"
    try:
        described = _Description.model_validate(
            renames.upgrade(json.loads(description.read_bytes()))
        )
    except FileNotFoundError:
        raise UserError(
            f"{folder} holds no trained network",
            hint="Give the folder `export` of a completed run.",
        ) from None
    except (OSError, ValueError) as error:
        raise _damaged(description, error) from None
    try:
        architecture = build(_options(described, folder), described.facts, folder / "code")
        nets = architecture.networks()
    except OSError as error:
        raise UserError(
            f"the network in {folder} reads what is not there: {reason(error)}",
            hint="Files are copied into an export if an option of the network gives their absolute "
            "paths, or if they lie beside its code.",
        ) from None
    _load_weights(nets, folder)
    inputs = {name: it.model_dump() for name, it in described.inputs.items()}
    return Trained(architecture, nets, inputs, described.resized)


def _options(described: _Description, folder: Path) -> Model:
    """Return the model's options, with the paths of their files in the export."""
    options = described.model.without_paths()
    if not described.files:
        return options
    return options.model_copy(update=resolve(folder, options.model_dump(), described.files))


def save_weights(nets: Mapping[str, nn.Module], folder: Path) -> None:
    """Write the networks' state dicts, whose tensors are called `NETWORK/KEY`."""
    file, other = folder / WEIGHTS, folder / TORCH_WEIGHTS
    try:
        # Not by `save_file`, whose file nobody but its owner may read.
        file.write_bytes(safetensors.torch.save(flattened(nets)))
    except (KeyError, ValueError):  # sparse tensors, and dtypes that the format does not have
        file, other = other, file
        torch.save({name: _on_cpu(net.state_dict()) for name, net in nets.items()}, file)
    other.unlink(missing_ok=True)


def flattened(nets: Mapping[str, nn.Module]) -> dict[str, Tensor]:
    """Return all tensors as `NETWORK/KEY`, on the CPU and without shared memory (tied weights)."""
    found = {
        f"{name}/{key}": it.cpu()
        for name, net in nets.items()
        for key, it in net.state_dict().items()
    }
    return {key: it if it.is_sparse else it.contiguous().clone() for key, it in found.items()}


def _on_cpu(state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    return {key: tensor.cpu() for key, tensor in state.items()}


def _load_weights(nets: Mapping[str, nn.Module], folder: Path) -> None:
    is_torchs = not (folder / WEIGHTS).exists() and (folder / TORCH_WEIGHTS).exists()
    file = folder / (TORCH_WEIGHTS if is_torchs else WEIGHTS)
    try:
        weights = read_weights(file)
        for name, net in nets.items():
            net.load_state_dict(weights.get(name, {}))  # {} of one without weights
            net.eval()
    except Exception as error:  # a damaged file may raise anything
        raise _damaged(file, error) from None


def read_weights(file: Path) -> dict[str, dict[str, Tensor]]:
    """Read the state dict of each network from a weights file of either format."""
    if file.name == TORCH_WEIGHTS:
        return dict(torch.load(file, map_location="cpu", weights_only=True))
    states: dict[str, dict[str, Tensor]] = {}
    for name, tensor in safetensors.torch.load_file(file).items():
        network, _, key = name.partition("/")
        states.setdefault(network, {})[key] = tensor
    return states


def _damaged(file: Path, error: Exception) -> UserError:
    what = str(error).partition("\n")[0] or type(error).__name__
    if isinstance(error, ValidationError):
        first = error.errors()[0]
        if first["type"] == "union_tag_invalid":
            return UserError(
                f"{file}: there is no architecture '{first['ctx']['tag']}' here",
                hint="Install the package that it comes from.",
            )
        what = f"{'.'.join(map(str, first['loc']))}: {first['msg']}".removeprefix(": ")
    return UserError(
        f"{file} is damaged: {what}",
        hint="`hpcdl submit --new` of its job spec trains it again.",
    )
