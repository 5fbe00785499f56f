"""The page of a sweep in MLflow: what its trials have reached so far, in words and pictures.

All of it follows from the sweep's folder. What a store did not take is sent at the next time.
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
import tempfile
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from hpc_dl.jobspec.flat import flatten
from hpc_dl.run.layout import RunDir, writing_as
from hpc_dl.tracking import batch, cursor, description, lock, note, parent_run, store, sync

if TYPE_CHECKING:
    from mlflow import MlflowClient
    from mlflow.entities import Run

Status = Literal["RUNNING", "FINISHED", "KILLED"]
BEST = "best_value"
"""The metric with the best value so far; its steps are numbers of results."""
FOLDER = "sweep"
"""The folder of the pictures among the artifacts."""
LOCK = "page.lock"
"""The file in the sweep's folder that the process holds which sends the page."""
_SENT = "page.json"


@dataclass(frozen=True)
class Page:
    """What the page shows."""

    options: Mapping[str, Any]
    """The section `sweep` of the job spec."""
    tags: Mapping[str, str]
    text: str
    """In Markdown."""
    best: Sequence[tuple[int, float, float]]
    """After how many results, the best value, and when that was, in seconds since 1970."""
    status: Status

    @property
    def digest(self) -> str:
        text = json.dumps(dataclasses.asdict(self), sort_keys=True)
        return hashlib.sha256(text.encode()).hexdigest()[:16]


def send(
    folder: Path, page: Page, draw: Callable[[Path], Iterable[Path]], lock_timeout: float
) -> bool:
    """Send the page of a sweep to the store of its trials; return whether it was sent anew.

    `draw` makes the pictures in a folder, once they are needed. A sweep gets its MLflow run from
    the first of its trials that is sent. Raises StoreUnavailable, and LockTimeout where another
    process sends the page, or writes to the same SQLite store, for so many seconds.
    """
    run, parent = RunDir(folder), parent_run.saved_id(folder)
    sent = {"mlflow_id": parent, "digest": page.digest}
    if parent is None or description.read_mapping(folder / _SENT) == sent:
        return False
    message = f"another process is sending the page of {folder.name}"
    with writing_as(run, beside=True), lock.acquire(folder / LOCK, message, lock_timeout):
        uri = sync.find_uri(run)
        with store.open_store(uri, lock_timeout) as client:
            found = parent_run.known(folder, client)
            if found is None or found.info.lifecycle_stage != "active":
                return False
            _send_values(folder, client, found, page)
        with tempfile.TemporaryDirectory() as temporary:
            pictures = list(draw(Path(temporary)))
            with store.connect(uri) as client:
                for picture in pictures:
                    client.log_artifact(parent, str(picture), FOLDER)
        cursor.save(folder / _SENT, sent)
    return True


def _send_values(folder: Path, client: MlflowClient, parent: Run, page: Page) -> None:
    from mlflow.entities import Metric, Param, RunTag

    mlflow_id, known = parent.info.run_id, parent.data
    sent = batch.Batches(client, mlflow_id, {})
    options = {description.clean_name(key): it for key, it in flatten(page.options, "sweep")}
    new = [Param(key, str(it)) for key, it in options.items() if key not in known.params]
    sent.params(new)  # MLflow lets nobody change them
    tags = {**page.tags, description.RUN_TAG: str(folder), **note.as_tags(page.text, known.tags)}
    sent.tags([RunTag(key, description.clean_text(it)) for key, it in tags.items()])
    history = client.get_metric_history(mlflow_id, BEST) if BEST in known.metrics else []
    last = max((it.step for it in history), default=0)
    points = [it for it in page.best if it[0] > last]
    sent.metrics([Metric(BEST, value, round(1000 * t), step) for step, value, t in points])
    if parent.info.status == page.status:
        return
    if page.status == "RUNNING":
        client.update_run(mlflow_id, status=page.status)
    else:
        client.set_terminated(mlflow_id, page.status)
