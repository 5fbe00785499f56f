"""The MLflow run of a sweep, the parent of its trials' runs: exactly one, whoever needs it first.

A run folder finds its own MLflow run by the path in a tag, and so does the sweep's folder. The id
is noted there for the trials that follow.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from hpc_dl.run import origin
from hpc_dl.run.layout import RunDir
from hpc_dl.run.membership import Membership
from hpc_dl.tracking import cursor, description, lock, mlflow_run

if TYPE_CHECKING:
    from mlflow import MlflowClient
    from mlflow.entities import Run

SWEEP_TAG, TRIAL_TAG = "hpcdl.sweep", "hpcdl.trial"
FILE = "tracking.json"
"""In the sweep's folder: the id of its MLflow run."""
_SECONDS = 10.0
"""To wait for another process that creates it."""


@dataclass(frozen=True)
class _Saved:
    mlflow_id: str


def child_tags(run: RunDir, trial: Membership, client: MlflowClient, found: Run) -> dict[str, str]:
    """Return the tags that the MLflow run of a trial lacks to be a child of its sweep's.

    Raises LockTimeout.
    """
    folder, parent = trial.folder(run), found.data.tags.get(mlflow_run.PARENT_TAG)
    if parent is None or parent != saved_id(folder):
        parent = find_or_create(folder, run, client, found.info.experiment_id).info.run_id
    tags = {
        mlflow_run.PARENT_TAG: parent,
        SWEEP_TAG: trial.sweep,
        TRIAL_TAG: str(trial.trial),
    }
    return {key: it for key, it in tags.items() if found.data.tags.get(key) != it}


def find_or_create(folder: Path, trial: RunDir, client: MlflowClient, experiment: str) -> Run:
    """Return the MLflow run of a sweep's folder, also a deleted one; `trial` is a run of it.

    Raises LockTimeout.
    """
    if (there := known(folder, client)) is not None:
        return there
    message = f"another process is creating the MLflow run of {folder.name}"
    with lock.acquire(folder / "tracking.lock", message, _SECONDS):
        if (there := known(folder, client)) is not None:  # by now
            return there
        found = mlflow_run.search(RunDir(folder), client, experiment, mlflow_run.has_path)
        found = found or _create(folder, trial, client, experiment)
        cursor.save(folder / FILE, {"mlflow_id": found.info.run_id})
        return found


def saved_id(folder: Path) -> str | None:
    """Return the id that is noted in a sweep's folder."""
    saved = cursor.load(folder / FILE, _Saved)
    return saved.mlflow_id if saved else None


def known(folder: Path, client: MlflowClient) -> Run | None:
    """Return the MLflow run with the noted id, unless the store is another one since, or it is that
    of another folder, of which this one is a copy."""
    saved = saved_id(folder)
    found = mlflow_run.fetch(client, saved) if saved else None
    if found is None:
        return None
    path = Path(found.data.tags.get(description.RUN_TAG, folder))
    return None if path.is_dir() and not origin.is_same(path, folder) else found


def _create(folder: Path, trial: RunDir, client: MlflowClient, experiment: str) -> Run:
    of_trial = description.run_tags(trial)
    tags = {key: it for key, it in of_trial.items() if key.startswith("mlflow.")}
    return client.create_run(
        experiment,
        start_time=round(1000 * folder.stat().st_mtime),
        run_name=folder.name,
        tags={**tags, description.RUN_TAG: str(folder), SWEEP_TAG: folder.name},
    )
