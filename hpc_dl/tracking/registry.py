"""MLflow's model registry: the network of a run as a version of a registered model."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hpc_dl.errors import EXIT_FAILED, UserError
from hpc_dl.run.layout import RunDir
from hpc_dl.tracking import description

if TYPE_CHECKING:
    from mlflow import MlflowClient
    from mlflow.entities import LoggedModel

LONGEST = 5000
"""Characters of a description that MLflow's databases keep."""


def add_version(
    client: MlflowClient, run: RunDir, model: LoggedModel, name: str
) -> tuple[str, bool]:
    """Register a run's logged model; return the number of the version, and whether it is new.

    A run has one version of a name, with the run's model card as its description. Raises UserError
    for a version that MLflow has not completed, and MlflowException for a name that it refuses.
    """
    from hpc_dl import model_card

    _create_name(client, name)
    of_run = client.search_model_versions(f"run_id='{model.source_run_id}'")
    version = next((it for it in of_run if it.name == name), None)
    made = version or client.create_model_version(
        name,
        model.artifact_location,  # `models:/ID` would be looked up in MLflow's default store
        model.source_run_id,
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
    return str(made.version), version is None


def _create_name(client: MlflowClient, name: str) -> None:
    from mlflow.exceptions import MlflowException

    try:
        client.create_registered_model(name)
    except MlflowException as error:
        if error.error_code != "RESOURCE_ALREADY_EXISTS":
            raise
