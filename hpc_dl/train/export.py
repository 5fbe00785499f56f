"""Export of the trained networks: weights, options and signature, for `hpc_dl.predictor`."""

from __future__ import annotations

import contextlib
import shutil
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import torch
from pydantic import TypeAdapter
from torch import Tensor, nn

from hpc_dl.errors import EXIT_FAILED, UserError
from hpc_dl.jobspec.facts import Feature
from hpc_dl.jobspec.job import JobSpec
from hpc_dl.planning.plan import Plan
from hpc_dl.run.layout import RunDir, write_json
from hpc_dl.run.weights import Weights
from hpc_dl.tasks.contract import Task
from hpc_dl.train import memory
from hpc_dl.train.best_effort import describe_disk_error, is_disk_error
from hpc_dl.train.evaluate import evaluating
from hpc_dl.train.pictures import on_device_of
from hpc_dl.zoo import trained
from hpc_dl.zoo.contract import Architecture, Batch, take
from hpc_dl.zoo.option_files import copy_into

STRINGS = {"shape": [-1], "dtype": "str"}
"""Description of strings among the outputs, such as names of classes."""
FEW = 2
"""Examples by which the signature is found."""


@contextlib.contextmanager
def complete_export(run: RunDir) -> Iterator[None]:
    """Add assets and the user's code to an export; raise UserError if the disk refuses any of it.

    Without the export the training would have been for nothing, so that ends the run.
    """
    try:
        yield
        for folder in (run.assets, run.code):
            if folder.is_dir():
                shutil.copytree(folder, run.export / folder.name, dirs_exist_ok=True)
    except (OSError, RuntimeError) as error:
        if memory.is_out_of_memory(error) or not is_disk_error(error):
            raise
        raise UserError(
            f"trained, but the model could not be written: {describe_disk_error(error)}",
            hint=f"Make room for {run.path}, and `hpcdl submit` again finishes the run.",
            exit_code=EXIT_FAILED,
        ) from error


def write_export(
    architecture: Architecture,
    nets: Mapping[str, nn.Module],
    spec: JobSpec,
    plan: Plan,
    sample: Batch,
    folder: Path,
    weights: Weights,
) -> None:
    """Write what `hpc_dl.predictor` needs to load the trained networks and predict."""
    folder.mkdir(exist_ok=True)
    trained.save_weights(nets, folder)
    options, files = copy_into(folder, spec.model.without_paths().model_dump(mode="json"))
    few = on_device_of(nets, take(sample, slice(FEW)))
    write_json(
        folder / "model.json",
        {
            "model": options,
            "weights": weights.to_json(),
            "facts": plan.to_json()["facts"],
            **_signature(architecture, nets, few),
            "files": files,
            "resized": spec.data.resizes,
        },
    )


def _signature(
    architecture: Architecture, nets: Mapping[str, nn.Module], few: Batch
) -> dict[str, Any]:
    """Describe the inputs and outputs of `predict`."""
    with evaluating(nets), torch.no_grad():
        inputs = architecture.inputs(few)
        outputs = architecture.predict(nets, inputs)
    described = {name: _describe(name, tensor) for name, tensor in outputs.items()}
    described |= dict.fromkeys(architecture.decode(outputs), STRINGS)
    return {
        "inputs": {
            name: _describe(name, tensor, architecture.facts.inputs.get(name))
            for name, tensor in inputs.items()
        },
        "outputs": described,
        "params": _params(architecture.task),
    }


def _params(task: Task | None) -> dict[str, Any]:
    """Describe the options of predictions: of each its type and its default."""
    if task is None or task.params is None:
        return {}
    fields = TypeAdapter(type(task.params)).json_schema()["properties"]
    return {
        name: {"type": of.get("anyOf", [of])[0]["type"], "default": of["default"]}
        for name, of in fields.items()
    }


def _describe(name: str, tensor: Tensor, feature: Feature | None = None) -> dict[str, Any]:
    """Return dtype and shape, with -1 for any size; edges are columns, all else rows."""
    axes = feature.shape if feature and None in feature.shape else tensor.shape[1:]
    shape = [2, -1] if name == "edge" else [-1, *(-1 if it is None else it for it in axes)]
    dtype = str(tensor.dtype).removeprefix("torch.")
    return {"shape": shape, "dtype": dtype}
