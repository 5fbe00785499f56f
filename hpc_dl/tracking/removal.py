"""Remove the MLflow run of a run folder for good: its metrics, artifacts, models, evaluations.

`mlflow gc` would also remove every experiment and model that anybody has deleted there and may
want to restore, so the same calls are made here for one run. A tracking server has no such call: it
keeps the run as deleted, until its administrator runs `mlflow gc`.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hpc_dl.jobspec.credentials import hidden
from hpc_dl.planning.tracking_store import SQLITE
from hpc_dl.run.layout import RunDir
from hpc_dl.run.removal import freed_bytes
from hpc_dl.tracking import links, mlflow_run, store, store_uri
from hpc_dl.tracking.cursor import Cursor

if TYPE_CHECKING:
    from mlflow import MlflowClient
    from mlflow.entities import Run


@dataclass(frozen=True)
class TrackedRun:
    """What the store has of a run."""

    mlflow_id: str
    store: str
    """Its URI, without a password."""
    for_good: bool
    """False where the store only marks it as deleted."""
    artifact_bytes: int | None
    """What they take on disk beside the run folder; None where that is none of this machine."""
    versions: tuple[tuple[str, str], ...]
    """Names and versions of its registered models."""


def find(run: RunDir, seconds: float) -> TrackedRun | None:
    """Return what the store has of a run, of which it may be locked for so many seconds.

    None where it has nothing. Raises StoreUnavailable, LockTimeout, DamagedFile.
    """
    uri = _existing_store(run)
    if uri is None:
        return None
    with store.open_store(uri, seconds) as client:
        found = _find(run, client)
        return describe(client, uri, found, run.path) if found else None


def describe(client: MlflowClient, uri: str, found: Run, folder: Path) -> TrackedRun:
    """Return what the store has of an MLflow run; `folder` is its run folder, which may be gone."""
    every = (it for one in _with_evaluations(client, found) for it in _artifacts(client, one))
    folders = [links.local_folder(it) for it in every]
    return TrackedRun(
        found.info.run_id,
        hidden(uri),
        _can_delete(client),
        _artifact_bytes(folder, folders),
        _versions(client, found),
    )


def remove(run: RunDir, seconds: float) -> None:
    """Remove the MLflow run, its artifacts, models and registered versions, if the store has them.

    The run itself goes last, so that an interrupted removal can be repeated. Raises the same errors
    as `find`.
    """
    uri = _existing_store(run)
    if uri is None:
        return
    with store.open_store(uri, seconds) as client:
        if (found := _find(run, client)) is not None:
            remove_found(client, uri, found)


def remove_found(client: MlflowClient, uri: str, found: Run) -> None:
    """Remove an MLflow run after its evaluations."""
    for one in _with_evaluations(client, found):
        remove_one(client, uri, one)


def remove_one(client: MlflowClient, uri: str, found: Run) -> None:
    """Remove an MLflow run with its artifacts, models and registered versions."""
    from mlflow.store.artifact.artifact_repository_registry import get_artifact_repository

    for name, version in _versions(client, found):
        client.delete_model_version(name, version)
    for artifacts in _artifacts(client, found):
        get_artifact_repository(artifacts, tracking_uri=uri).delete_artifacts()
    for model in _models(client, found):
        if _can_delete(client):
            _backend(client)._hard_delete_logged_model(model.model_id)
        else:
            client.delete_logged_model(model.model_id)
    if found.info.lifecycle_stage == "active":
        client.delete_run(found.info.run_id)
    if _can_delete(client):
        _backend(client)._hard_delete_run(found.info.run_id)


def _existing_store(run: RunDir) -> str | None:
    """Return the URI of a run's store; None without a plan, or where its file was never made."""
    uri = store_uri.load(run)
    if uri is None or (uri.startswith(SQLITE) and not store_uri.sqlite_file(uri).exists()):
        return None
    return uri


def _find(run: RunDir, client: MlflowClient) -> Run | None:
    """Return the MLflow run with this folder's tag: a copied folder names that of another."""
    return mlflow_run.find(run, client, Cursor.load(run).mlflow_id)


def _with_evaluations(client: MlflowClient, found: Run) -> list[Run]:
    """Return the evaluations of a run, which are its children, and the run itself at last."""
    info = found.info
    return [*mlflow_run.evaluations(client, info.experiment_id, info.run_id), found]


def _backend(client: MlflowClient) -> Any:
    return client._tracking_client.store


def _can_delete(client: MlflowClient) -> bool:
    """Return whether the store deletes for good: databases and files do, servers do not."""
    return hasattr(_backend(client), "_hard_delete_run")


def _models(client: MlflowClient, found: Run) -> list[Any]:
    """Return the logged models of a run that are still there."""
    outputs = found.outputs.model_outputs if found.outputs else []
    ids = {it.model_id for it in outputs or []}
    return [model for it in sorted(ids) if (model := _model(client, it)) is not None]


def _model(client: MlflowClient, model_id: str) -> Any:
    from mlflow.exceptions import MlflowException

    try:
        if _can_delete(client):
            return _backend(client).get_logged_model(model_id, allow_deleted=True)
        return client.get_logged_model(model_id)
    except MlflowException as error:
        if error.error_code != "RESOURCE_DOES_NOT_EXIST":
            raise
        return None


def _artifacts(client: MlflowClient, found: Run) -> list[str]:
    """Return where the artifacts of a run and of its models lie."""
    return [found.info.artifact_uri, *(it.artifact_location for it in _models(client, found))]


def _artifact_bytes(folder: Path, folders: list[Path | None]) -> int | None:
    """Return the bytes that artifacts take beside the run folder, with which they share some."""
    local = [it for it in folders if it is not None]
    if len(local) < len(folders):
        return None
    return freed_bytes([folder, *local]) - freed_bytes([folder])


def _versions(client: MlflowClient, found: Run) -> tuple[tuple[str, str], ...]:
    """Return the names and versions of the registered models of a run."""
    versions = client.search_model_versions(f"run_id = '{found.info.run_id}'")
    return tuple((it.name, str(it.version)) for it in versions)
