"""The exported network as an MLflow model, for `mlflow.pyfunc.load_model`.

MLflow stores the name of a loader module and the export, whose weights load as tensors alone; no
pickled object.
"""

from __future__ import annotations

import json
import tempfile
import warnings
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hpc_dl.run.layout import RunDir
from hpc_dl.run.weights import Weights
from hpc_dl.tracking import links

if TYPE_CHECKING:
    from mlflow import MlflowClient
    from mlflow.entities import LoggedModel
    from mlflow.models import Model, ModelSignature
    from mlflow.types import ParamSchema, Schema

NAME = "model"
LOADER = "hpc_dl.predictor"
_DATA = "data"
"""Folder of an export in an MLflow model, which it keeps its name in."""
_LONGEST_PARAMETER = 5000
_TYPES = {"integer": "long", "number": "double", "string": "string", "boolean": "boolean"}
"""JSON schema's types → MLflow's."""
_NEEDED = ("torch", "numpy", "hpcdl")


def log(run: RunDir, client: MlflowClient, mlflow_id: str) -> LoggedModel | None:
    """Log the export of a completed run, unless the store has all of it; return the model.

    Without an export there is none. Unlike `mlflow.start_run`, this leaves the MLflow run's status
    and end time.
    """
    if not (run.export / "model.json").is_file():
        return None
    from mlflow.models import Model

    exported = json.loads((run.export / "model.json").read_text())
    weights = Weights.from_json(exported.get("weights"))
    step = weights.step if weights else 0
    logged = _find(client, mlflow_id) or _create(client, mlflow_id, step)
    if logged.status == "READY":
        return logged
    with tempfile.TemporaryDirectory() as folder:
        about = Model(
            artifact_path=logged.artifact_location,
            model_uuid=logged.model_id,
            model_id=logged.model_id,
            run_id=mlflow_id,
        )
        save(run.export, f"{folder}/{NAME}", about)
        client.log_model_artifacts(logged.model_id, f"{folder}/{NAME}")
    logged = client.finalize_logged_model(logged.model_id, "READY")
    _share_files(run.export, links.local_folder(logged.artifact_location))
    return logged


def _share_files(export: Path, model: Path | None) -> None:
    """Replace MLflow's copies of an export by links, where both are on one disk."""
    if model is None:
        return
    for path in export.rglob("*"):
        copy = model / _DATA / path.relative_to(export.parent)
        if copy.is_file() and copy.stat().st_size == path.stat().st_size:
            links.share(path, copy)


def save(export: Path, path: str, about: Model | None = None) -> None:
    """Write an export as an MLflow model into the new folder `path`."""
    import mlflow

    with warnings.catch_warnings(action="ignore"):  # about a missing input example
        mlflow.pyfunc.save_model(
            path,
            loader_module=LOADER,
            data_path=str(export),
            mlflow_model=about,
            signature=signature(json.loads((export / "model.json").read_text())),
            pip_requirements=[f"{name}=={found}" for name in _NEEDED if (found := _version(name))],
        )


def _create(client: MlflowClient, mlflow_id: str, step: int) -> LoggedModel:
    from mlflow.entities import LoggedModelOutput

    run = client.get_run(mlflow_id)
    params = {key: value[:_LONGEST_PARAMETER] for key, value in run.data.params.items()}
    made = client.create_logged_model(run.info.experiment_id, NAME, mlflow_id, params=params)
    client.log_outputs(mlflow_id, [LoggedModelOutput(made.model_id, step=step)])
    return made


def _find(client: MlflowClient, mlflow_id: str) -> LoggedModel | None:
    """Return the run's logged model, whose files a failed upload may have left out."""
    from mlflow.exceptions import MlflowException

    outputs = client.get_run(mlflow_id).outputs
    if not outputs or not outputs.model_outputs:
        return None
    try:
        return client.get_logged_model(outputs.model_outputs[-1].model_id)
    except MlflowException as error:
        if error.error_code != "RESOURCE_DOES_NOT_EXIST":
            raise
        return None  # it was deleted in MLflow


def signature(exported: dict[str, Any]) -> ModelSignature:
    """Return the signature for the content of `model.json`.

    Inputs are left to the predictor, which accepts images, paths, bytes and doubles alike; MLflow
    would refuse all but one shape and type.
    """
    import numpy as np
    from mlflow.models import ModelSignature
    from mlflow.types import Schema, TensorSpec

    outputs = [
        TensorSpec(np.dtype(of["dtype"]), tuple(of["shape"]), name)
        for name, of in exported["outputs"].items()
    ]
    return ModelSignature(
        _columns(exported["facts"]), Schema(outputs), _params(exported.get("params", {}))
    )


def _params(described: dict[str, Any]) -> ParamSchema | None:
    """Return the options that a call of `predict` may set."""
    from mlflow.types import ParamSchema, ParamSpec

    specs = [ParamSpec(k, _TYPES[it["type"]], it["default"]) for k, it in described.items()]
    return ParamSchema(specs) if specs else None


def _columns(facts: dict[str, Any]) -> Schema | None:
    """Return the raw input columns of a table, of any type.

    With types MLflow would refuse gaps, and integers where others are floats.
    """
    from mlflow.types import ColSpec, Schema
    from mlflow.types.schema import AnyType

    names = [column["name"] for column in facts.get("raw", ()) if column["part"] == "input"]
    return Schema([ColSpec(AnyType(), name) for name in names]) if names else None


def _version(name: str) -> str | None:
    try:
        return version(name).partition("+")[0]
    except PackageNotFoundError:
        return None
