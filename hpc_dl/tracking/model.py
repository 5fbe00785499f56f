"""The trained network in MLflow's own format, so that `mlflow.pyfunc.load_model` predicts.

MLflow is given the name of the loader, not a pickled object: what it stores is the run's export,
weights that load as tensors alone.
"""

from __future__ import annotations

import json
import warnings
from importlib.metadata import PackageNotFoundError, version
from typing import TYPE_CHECKING, Any

from hpc_dl.rundir import RunDir

if TYPE_CHECKING:
    from mlflow import MlflowClient
    from mlflow.models import ModelSignature

NAME = "model"
LOADER = "hpc_dl.predictor"
_NEEDED = ("torch", "numpy", "hpcdl")


def log(run: RunDir, client: MlflowClient, uri: str, mlflow_id: str) -> None:
    """Log the export of a completed run, if there is one and the store does not have it."""
    if not (run.export / "model.json").is_file() or _is_logged(client, mlflow_id):
        return
    import mlflow

    mlflow.set_tracking_uri(uri)
    with (
        warnings.catch_warnings(action="ignore"),  # MLflow asks for an example of the input
        mlflow.start_run(run_id=mlflow_id, log_system_metrics=False),
    ):
        mlflow.pyfunc.log_model(
            name=NAME,
            loader_module=LOADER,
            data_path=str(run.export),
            signature=signature(json.loads((run.export / "model.json").read_text())),
            pip_requirements=[f"{name}=={found}" for name in _NEEDED if (found := _version(name))],
        )


def signature(said: dict[str, Any]) -> ModelSignature:
    """MLflow's description of what goes in and comes out, from `model.json`."""
    import numpy as np
    from mlflow.models import ModelSignature
    from mlflow.types import Schema, TensorSpec

    def spec(of: dict[str, Any], name: str | None) -> TensorSpec:
        return TensorSpec(np.dtype(of["dtype"]), tuple(of["shape"]), name)

    outputs = [spec(of, name) for name, of in said["outputs"].items()]
    alone = len(said["inputs"]) == 1  # then it needs no name
    inputs = [spec(of, None if alone else name) for name, of in said["inputs"].items()]
    return ModelSignature(Schema(inputs), Schema(outputs))


def _is_logged(client: MlflowClient, mlflow_id: str) -> bool:
    outputs = client.get_run(mlflow_id).outputs
    return bool(outputs and outputs.model_outputs)


def _version(name: str) -> str | None:
    try:
        return version(name).partition("+")[0]
    except PackageNotFoundError:
        return None
