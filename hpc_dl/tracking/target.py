"""The MLflow run that stands for a run folder: found, or made, one for good."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hpc_dl import journal
from hpc_dl.errors import UserError
from hpc_dl.rundir import RunDir, make_folder, mode_of
from hpc_dl.tracking import description, store

if TYPE_CHECKING:
    from mlflow import MlflowClient


def is_there(run: RunDir, client: MlflowClient, mlflow_id: str) -> bool:
    """Whether the store has the MLflow run. Raises UserError where it was deleted there."""
    from mlflow.exceptions import MlflowException

    try:
        found = client.get_run(mlflow_id)
    except MlflowException as error:
        if error.error_code != "RESOURCE_DOES_NOT_EXIST":
            raise
        return False
    if found.info.lifecycle_stage != "active":
        raise UserError(
            f"{run.id} was deleted in the MLflow store",
            hint=f"To have it back: mlflow runs restore --run-id {mlflow_id}",
        )
    return True


def find_or_create(run: RunDir, client: MlflowClient, uri: str) -> str:
    """The id of the MLflow run. Its tag finds it, also where an answer was lost on the way."""
    experiment = _experiment(run, client, uri)
    mine = f"tags.`{description.RUN_TAG}` = '{run.path}'"
    found = client.search_runs([experiment], mine, max_results=1)
    return str(found[0].info.run_id) if found else _create(run, client, experiment)


def _experiment(run: RunDir, client: MlflowClient, uri: str) -> str:
    name = description.experiment(run)
    found = client.get_experiment_by_name(name)
    if found is not None:
        return str(found.experiment_id)
    folder = store.artifact_folder(uri, run.root)
    if folder and not folder.exists():
        make_folder(folder, mode_of(run))  # it will hold what run folders hold
    root = folder.as_uri() if folder else None
    return str(client.create_experiment(name, artifact_location=root))


def _create(run: RunDir, client: MlflowClient, experiment: str) -> str:
    times = (entry.event.get("t") for entry in journal.read(run.journal))
    first = next((time for time in times if isinstance(time, int | float)), None)
    made = client.create_run(
        experiment,
        start_time=round(first * 1000) if first else None,
        run_name=run.id,
        tags={description.RUN_TAG: str(run.path)},
    )
    return str(made.info.run_id)
