"""Download the export of a trained network from an MLflow store."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from hpc_dl.errors import EXIT_FAILED, UserError, first_few
from hpc_dl.jobspec.credentials import hidden
from hpc_dl.tracking import store
from hpc_dl.tracking.model import LOADER

if TYPE_CHECKING:
    from mlflow import MlflowClient
    from mlflow.entities import LoggedModel

_NOT_THERE = ("RESOURCE_DOES_NOT_EXIST", "INVALID_PARAMETER_VALUE")
"""MLflow's codes for what a store does not have, and for an address that is none."""


def is_address(word: str) -> bool:
    """Return whether a word is an address: `runs:/RUN_ID/model`, `models:/NAME@ALIAS`."""
    return word.startswith(("runs:/", "models:/"))


def download(address: str, uri: str, into: Path) -> Path:
    """Download the model at an address in the store at `uri`; return the export in it.

    Raises UserError for a model that is not there, not complete, or not of hpcdl, and
    StoreUnavailable.
    """
    with store.reading(uri) as client:
        import mlflow
        from mlflow.exceptions import MlflowException

        try:
            location = _location(client, address)
            folder = mlflow.artifacts.download_artifacts(
                artifact_uri=location, tracking_uri=uri, dst_path=str(into)
            )
        except MlflowException as error:
            if error.error_code not in _NOT_THERE:
                raise
            raise UserError(
                f"{address}: {store.describe_error(error)}",
                hint=f"The store is {hidden(uri)}; MLFLOW_TRACKING_URI names another.",
            ) from None
    return export_in(Path(folder), address)


def export_in(folder: Path, name: str) -> Path:
    """Return the export in the folder of an MLflow model. Raises UserError, with the name of the
    model, where it has none."""
    import yaml

    try:
        flavors = yaml.safe_load((folder / "MLmodel").read_text())["flavors"]
    except FileNotFoundError:
        raise UserError(f"{name} is no MLflow model: it has no file MLmodel") from None
    made_by = flavors.get("python_function", {})
    if made_by.get("loader_module") != LOADER:
        raise UserError(
            f"{name} is no network of hpcdl, but of {first_few(flavors)}",
            hint="Load it with mlflow.pyfunc.load_model.",
        )
    return folder / str(made_by["data"])


def _location(client: MlflowClient, address: str) -> str:
    """Return where the files of a model are."""
    if address.startswith("runs:/"):
        return str(model_of_run(client, address).artifact_location)
    from mlflow.store.artifact.utils.models import get_model_name_and_version

    named = get_model_name_and_version(client, address)
    if len(named) == 1:
        return str(client.get_logged_model(*named).artifact_location)
    return str(client.get_model_version_download_uri(*named))


def model_of_run(client: MlflowClient, address: str) -> LoggedModel:
    """Return the model at `runs:/RUN_ID` or `runs:/RUN_ID/NAME`, the last one of several. Raises
    UserError for one that is not there, or not complete."""
    run_id, _, name = address.removeprefix("runs:/").strip("/").partition("/")
    run = client.get_run(run_id)
    outputs = run.outputs.model_outputs if run.outputs else []
    models = [client.get_logged_model(it.model_id) for it in outputs]
    found = [it for it in models if name in ("", it.name)]
    if not found:
        others = f"; it has {first_few(it.name for it in models)}" if models else ""
        raise UserError(
            f"{address}: the run, {run.info.status.lower()}, has no such model{others}",
            hint="A model is there once the run is completed, and `hpcdl sync` has sent it.",
            exit_code=EXIT_FAILED,
        )
    if found[-1].status != "READY":
        raise UserError(
            f"{address}: the model has not been uploaded completely",
            hint="`hpcdl sync` uploads the rest.",
            exit_code=EXIT_FAILED,
        )
    return found[-1]
