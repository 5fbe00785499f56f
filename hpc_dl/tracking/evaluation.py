"""An evaluation on other data as an MLflow run: a child of the run whose network it measures."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path

from hpc_dl.errors import EXIT_FAILED, UserError
from hpc_dl.run.layout import RunDir
from hpc_dl.tracking import batch, description, mlflow_run, removal, store, sync
from hpc_dl.tracking.cursor import Cursor

TIMEOUT = 60.0
"""Seconds to wait for another process that is writing to the store."""


def send(
    run: RunDir,
    uri: str,
    name: str,
    data: Mapping[str, str],
    metrics: Mapping[str, float],
    step: int,
    files: Iterable[Path],
) -> str:
    """Send an evaluation of a run, which is sent to the store first if it is not there; return the
    id of the MLflow run.

    It has the parameters of its parent with the options of the `data` in their place, so that
    MLflow compares it with other runs. Under the same name it is written anew. Raises
    StoreUnavailable and LockTimeout.
    """
    from mlflow.entities import Param

    if sync.is_pending(run):
        sync.sync_run(run, TIMEOUT)
    parent = Cursor.load(run).mlflow_id
    if parent is None:
        raise UserError(
            f"{run.id} is not in the store", hint=f"hpcdl sync {run.id}", exit_code=EXIT_FAILED
        )
    with store.open_store(uri, TIMEOUT) as client:
        experiment = client.get_run(parent).info.experiment_id
        for former in mlflow_run.evaluations(client, experiment, parent):
            if former.data.tags[mlflow_run.EVALUATION_TAG] == name:
                removal.remove_one(client, uri, former)
        tags = {mlflow_run.PARENT_TAG: parent, mlflow_run.EVALUATION_TAG: name}
        made = client.create_run(experiment, tags=tags, run_name=f"{run.id} on {name}")
        child = str(made.info.run_id)
        of_parent = {
            key: it
            for key, it in description.parameters(run).items()
            if not key.startswith("data.")
        }
        sent = batch.Batches(client, child, {})
        sent.params([Param(key, it) for key, it in {**of_parent, **data}.items()])
        now = int(made.info.start_time)
        sent.metrics([description.metric(key, it, now, step) for key, it in metrics.items()])
        for file in files:
            client.log_artifact(child, str(file), "evaluation")
        client.set_terminated(child)
    return child
