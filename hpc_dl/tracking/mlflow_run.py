"""The MLflow run of a run folder: exactly one, found by a tag or created."""

from __future__ import annotations

import re
import shlex
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from hpc_dl.errors import EXIT_FAILED, UserError
from hpc_dl.jobspec.credentials import hidden
from hpc_dl.run import journal, origin
from hpc_dl.run.layout import RunDir, is_run
from hpc_dl.tracking import cursor, description, marks, store_uri
from hpc_dl.tracking.experiment import KIND

if TYPE_CHECKING:
    from mlflow import MlflowClient
    from mlflow.entities import Experiment, Run

PARENT_TAG, EVALUATION_TAG = "mlflow.parentRunId", "hpcdl.evaluation"
"""MLflow's own tag of the run that this one is a child of; and the name of an evaluation on other
data, which is a child of the run that was evaluated."""
_ACTIVE = "active"
_MOST = 1000
"""The most evaluations of a run that are looked for."""


def get(run: RunDir, client: MlflowClient, uri: str, mlflow_id: str) -> Run | None:
    """Return the MLflow run with this id, if the store has it.

    Raises UserError where it was deleted there.
    """
    found = fetch(client, mlflow_id)
    if found is None or found.info.lifecycle_stage == _ACTIVE:
        return found
    experiment = client.get_experiment(found.info.experiment_id)
    if experiment.lifecycle_stage != _ACTIVE and experiment.name != description.experiment(run):
        return None  # the spec names another experiment by now
    raise _deleted(run, uri, experiment, found)


def fetch(client: MlflowClient, mlflow_id: str) -> Run | None:
    """Return the MLflow run with this id, also a deleted one; None if the store lacks it."""
    from mlflow.exceptions import MlflowException

    try:
        return client.get_run(mlflow_id)
    except MlflowException as error:
        if error.error_code != "RESOURCE_DOES_NOT_EXIST":
            raise
        return None


def is_of_other_copy(run: RunDir, found: Run, written: str) -> bool:
    """Return whether an MLflow run is that of another copy of the run folder: one that went on, or
    the original, which this one has left behind.

    `written` is the mark that this folder has left there last.
    """
    noted = found.data.tags.get(marks.TAG, "")
    if noted not in ("", written) and not marks.fits(run, noted):
        return True
    return is_of_original(run, found) and cursor.journal_size(run) > marks.size(noted)


def is_of_original(run: RunDir, found: Run) -> bool:
    """Return whether the MLflow run is that of another run folder, which is there."""
    path = Path(found.data.tags.get(description.RUN_TAG, run.path))
    return not origin.is_same(path, run.path) and is_run(RunDir(path))


def find_or_create(run: RunDir, client: MlflowClient, uri: str) -> Run:
    """Return the MLflow run.

    The tags find it even if the answer to its creation was lost, or the run folder was moved.
    Raises UserError where the run or its experiment was deleted in the store.
    """
    experiment = _experiment(run, client, uri)
    found = search(run, client, experiment.experiment_id, _is_continued)
    if experiment.lifecycle_stage != _ACTIVE or (
        found is not None and found.info.lifecycle_stage != _ACTIVE
    ):
        raise _deleted(run, uri, experiment, found)
    return found or _create(run, client, experiment.experiment_id)


def find(run: RunDir, client: MlflowClient, mlflow_id: str | None) -> Run | None:
    """Return the MLflow run with the run folder's tag, even a deleted one; None without one.

    `mlflow_id` is the id that the cursor has.
    """
    known = fetch(client, mlflow_id) if mlflow_id else None
    if known is not None and has_path(run, known):
        return known
    experiment = client.get_experiment_by_name(description.experiment(run))
    return search(run, client, experiment.experiment_id, has_path) if experiment else None


def evaluations(client: MlflowClient, experiment: str, mlflow_id: str) -> list[Run]:
    """Return the evaluations of an MLflow run on other data, also deleted ones."""
    from mlflow.entities import ViewType

    of_run = f"tags.`{PARENT_TAG}` = '{mlflow_id}'"
    found = client.search_runs([experiment], of_run, ViewType.ALL, _MOST)
    return [it for it in found if EVALUATION_TAG in it.data.tags]


def has_path(run: RunDir, found: Run) -> bool:
    """Return whether an MLflow run has the path of this folder in its tag."""
    return bool(found.data.tags.get(description.RUN_TAG) == str(run.path))


def _is_continued(run: RunDir, found: Run) -> bool:
    """Return whether the run's journal continues an MLflow run; if that has none yet, by the path
    of the run folder."""
    if marks.TAG not in found.data.tags:
        return has_path(run, found)
    return not is_of_other_copy(run, found, "")


def search(
    run: RunDir, client: MlflowClient, experiment: str, is_its: Callable[[RunDir, Run], bool]
) -> Run | None:
    """Return the MLflow run of a run's or a sweep's folder; a deleted one if there is no other.

    MLflow's filter cannot quote a quote, therefore it filters by the folder's name alone, and the
    rest is compared here.
    """
    from mlflow.entities import ViewType

    ending = re.sub(r"[^\w.-]", "_", run.id)  # "_" matches any character
    mine, deleted, token = f"tags.`{description.RUN_TAG}` LIKE '%{ending}'", None, None
    while True:
        page = client.search_runs([experiment], mine, ViewType.ALL, page_token=token)
        for found in page:
            if is_its(run, found):
                if found.info.lifecycle_stage == _ACTIVE:
                    return found
                deleted = found
        if not (token := page.token):
            return deleted


def _experiment(run: RunDir, client: MlflowClient, uri: str) -> Experiment:
    from mlflow.exceptions import MlflowException

    name = description.experiment(run)
    if found := client.get_experiment_by_name(name):
        return found
    folder = store_uri.artifact_folder(uri, run.root)
    try:
        made = client.create_experiment(name, folder.as_uri() if folder else None, KIND)
    except MlflowException as error:
        if error.error_code != "RESOURCE_ALREADY_EXISTS":
            raise
        found = client.get_experiment_by_name(name)  # another process created it meanwhile
        if found is None:
            raise
        return found
    return client.get_experiment(made)


def _create(run: RunDir, client: MlflowClient, experiment: str) -> Run:
    times = (entry.event.get("t") for entry in journal.read(run.journal))
    first = next((time for time in times if isinstance(time, int | float)), None)
    return client.create_run(
        experiment,
        start_time=description.timestamp_ms({"t": first}) if first else None,
        run_name=run.id,
        tags={description.RUN_TAG: str(run.path)},
    )


def _deleted(run: RunDir, uri: str, experiment: Experiment, found: Run | None) -> UserError:
    at = f"MLFLOW_TRACKING_URI={shlex.quote(hidden(uri))}"
    if experiment.lifecycle_stage != _ACTIVE:
        return UserError(
            f"the experiment {experiment.name!r}, where {run.id} belongs, "
            "was deleted in the MLflow store",
            hint=f"To have it back: {at} mlflow experiments restore "
            f"--experiment-id {experiment.experiment_id}\n"
            "Its name is taken until it is removed for good (mlflow gc); "
            "for another one set tracking.experiment.",
            exit_code=EXIT_FAILED,
        )
    assert found is not None
    return UserError(
        f"{run.id} was deleted in the MLflow store",
        hint=f"To have it back: {at} mlflow runs restore --run-id {found.info.run_id}",
        exit_code=EXIT_FAILED,
    )
