"""What runs have lost each other: MLflow runs without their folder, and folders whose MLflow run
was deleted."""

from __future__ import annotations

import getpass
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from hpc_dl.planning.tracking_store import SQLITE
from hpc_dl.run.layout import RunDir
from hpc_dl.tracking import description, removal, store, store_uri
from hpc_dl.tracking.cursor import Cursor
from hpc_dl.tracking.removal import TrackedRun

if TYPE_CHECKING:
    from mlflow import MlflowClient
    from mlflow.entities import Run


@dataclass(frozen=True)
class Orphans:
    """The orphans of one store and one folder of runs."""

    without_folder: list[tuple[Path, float, TrackedRun]]
    """MLflow runs of this user: the folder that is gone, when they began (seconds since 1970), and
    what the store has of them."""
    deleted: set[Path]
    """Folders whose MLflow run is marked as deleted in the store."""


def find(uri: str, root: Path, known: Iterable[RunDir], seconds: float) -> Orphans:
    """Find the orphans among the runs in `root`, in a store that may be locked for so many seconds.

    Folders elsewhere are none: they may be on a disk that is not mounted here. Nor is what one of
    the runs that are `known` has sent, whose folder may have another name by now. Raises
    StoreUnavailable and LockTimeout.
    """
    if uri.startswith(SQLITE) and not store_uri.sqlite_file(uri).exists():
        return Orphans([], set())
    held = {Cursor.load(it).mlflow_id for it in known}
    with store.open_store(uri, seconds) as client:
        found = [(path, it) for path, it in _runs(client) if path.parent == root]
        active = {path for path, it in found if it.info.lifecycle_stage == "active"}
        return Orphans(
            [
                (path, it.info.start_time / 1000, removal.describe(client, uri, it, path))
                for path, it in found
                if not path.exists()
                and it.info.run_id not in held
                and it.data.tags.get("mlflow.user") == getpass.getuser()
            ],
            {path for path, _ in found if path.exists()} - active,
        )


def remove(uri: str, mlflow_id: str, seconds: float) -> None:
    """Remove an MLflow run without a folder. Raises the same errors as `find`."""
    with store.open_store(uri, seconds) as client:
        removal.remove_found(client, uri, client.get_run(mlflow_id))


def _runs(client: MlflowClient) -> Iterator[tuple[Path, Run]]:
    """Yield all runs of hpcdl's in a store, also deleted ones, each with its folder."""
    from mlflow.entities import ViewType

    every = client.search_experiments(ViewType.ALL)
    ids, token = [it.experiment_id for it in every], None
    while True:
        page = client.search_runs(
            ids, f"tags.`{description.RUN_TAG}` LIKE '%'", ViewType.ALL, page_token=token
        )
        for it in page:
            yield Path(it.data.tags[description.RUN_TAG]), it
        if not (token := page.token):
            return
