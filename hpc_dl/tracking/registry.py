"""MLflow's model registry: the network of a run as a version of a registered model."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hpc_dl import model_card
from hpc_dl.errors import EXIT_FAILED, UserError
from hpc_dl.run.layout import RunDir
from hpc_dl.tracking import description, store, sync
from hpc_dl.tracking.cursor import Cursor
from hpc_dl.tracking.downloads import model_of_run

if TYPE_CHECKING:
    from mlflow import MlflowClient

TIMEOUT = 60.0
"""Seconds to wait for another process that is writing to the store."""
LONGEST = 5000
"""Characters of a description that MLflow's databases keep."""


def register(run: RunDir, uri: str, name: str, alias: str | None) -> tuple[str, bool]:
    """Register the network of a completed run, which is sent to the store first if it is not there;
    return the number of the version, and whether it is new.

    A run has one version of a name, with the run's model card as its description. Raises UserError
    for a name or an alias that MLflow refuses, and StoreUnavailable.
    """
    if sync.is_pending(run):
        sync.sync_run(run, TIMEOUT)
    mlflow_id = Cursor.load(run).mlflow_id
    if mlflow_id is None:
        raise UserError(f"{run.id} is not in the store", hint=f"hpcdl sync {run.id}")
    with store.open_store(uri, TIMEOUT) as client:
        from mlflow.exceptions import MlflowException

        try:
            return _version(client, run, mlflow_id, name, alias)
        except MlflowException as error:
            if error.error_code != "INVALID_PARAMETER_VALUE":
                raise
            raise UserError(f"MLflow refuses that: {store.describe_error(error)}") from None


def _version(
    client: MlflowClient, run: RunDir, mlflow_id: str, name: str, alias: str | None
) -> tuple[str, bool]:
    model = model_of_run(client, f"runs:/{mlflow_id}")
    _create_name(client, name)
    of_run = client.search_model_versions(f"run_id='{mlflow_id}'")
    version = next((it for it in of_run if it.name == name), None)
    made = version or client.create_model_version(
        name,
        model.artifact_location,  # models:/ID would be looked up in the store of the environment
        mlflow_id,
        tags={description.RUN_TAG: str(run.path)},
        model_id=model.model_id,
        description=description.clean_text(model_card.page(run), LONGEST),
    )
    if made.status != "READY":
        raise UserError(
            f"version {made.version} of {name} is {made.status.lower().replace('_', ' ')}",
            hint="The same command tries again.",
            exit_code=EXIT_FAILED,
        )
    if alias is not None:
        client.set_registered_model_alias(name, alias, made.version)
    return str(made.version), version is None


def _create_name(client: MlflowClient, name: str) -> None:
    from mlflow.exceptions import MlflowException

    try:
        client.create_registered_model(name)
    except MlflowException as error:
        if error.error_code != "RESOURCE_ALREADY_EXISTS":
            raise
