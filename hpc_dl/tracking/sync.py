"""Bringing a run's journal to MLflow: in batches, from where it was left, and never twice."""

from __future__ import annotations

import json
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from hpc_dl import journal
from hpc_dl.journal import ENDED, Event
from hpc_dl.rundir import RunDir, read_json
from hpc_dl.tracking import description, files, model, store
from hpc_dl.tracking.position import Position

if TYPE_CHECKING:
    from mlflow import MlflowClient
    from mlflow.entities import Metric

BATCH = 1000
"""Metrics that one request may hold."""
_PARAMETERS, _TAGS = 100, 100

STATUS = {
    "planned": "SCHEDULED",
    "requeued": "SCHEDULED",
    "running": "RUNNING",
    "completed": "FINISHED",
    "failed": "FAILED",
    "timeout": "FAILED",
    "stopped": "KILLED",
    "cancelled": "KILLED",
}
"""MLflow's word for each state of a run."""


@dataclass(frozen=True)
class Brought:
    """What one pass has done."""

    points: int
    """Values of metrics that are new in the store."""
    state: str
    """The state of the run that the store was told last."""


def bring(run: RunDir, patience: float = 0.0) -> Brought:
    """Bring what is new in the journal to the store that the plan names.

    Doing so twice adds nothing, and being killed in between loses nothing. Raises StoreAway where
    the store is not to be had; what was brought until then stays.
    """
    position = Position.load(run)
    if not waits(run, position):
        return Brought(0, position.state)
    uri = read_json(run.plan)["tracking_uri"]
    with store.opened(uri, patience) as client:
        return _Pass(run, client, uri, position).bring()


def waits(run: RunDir, position: Position | None = None) -> bool:
    """Whether the journal has anything that the store does not know."""
    position = position or Position.load(run)
    if position.untold is not None:
        return True
    return run.journal.exists() and run.journal.stat().st_size > position.offset


class _Pass:
    def __init__(self, run: RunDir, client: MlflowClient, uri: str, position: Position) -> None:
        self.run, self.client, self.uri, self.position = run, client, uri, position
        self.points: list[Metric] = []
        self.count = 0
        self.newest = dict(position.newest)

    def bring(self) -> Brought:
        mlflow_id = self.position.mlflow_id or self._find_or_create()
        for event, _, end in journal.read(self.run.journal, self.position.offset):
            match event["event"]:
                case "metrics" | "system":
                    self._collect(event)
                case "artifact":
                    folder = str(Path(event["path"]).parent)
                    self._upload(self.run.path / event["path"], folder)
                case "started":
                    self._tag(description.started_tags(event))
                    self._upload_environment(event)
                case "state":
                    self.position.untold = event
            if len(self.points) >= BATCH:
                self._send(mlflow_id, end)
        self._send(mlflow_id, self._whole_size())
        if self.position.untold is not None:
            self._tell_state(mlflow_id, self.position.untold)
        return Brought(self.count, self.position.state)

    def _whole_size(self) -> int:
        """The end of the last whole line, from where the next pass has to read on."""
        end = self.position.offset
        for entry in journal.read(self.run.journal, end):
            end = entry.end
        return end

    # ---- the run in the store

    def _find_or_create(self) -> str:
        """One run folder is one MLflow run, also if the position was lost after its creation."""
        from mlflow.entities import Param, RunTag

        name = description.experiment(self.run)
        found = self.client.get_experiment_by_name(name)
        if found is None:
            root = store.artifact_root(self.uri)
            experiment = self.client.create_experiment(name, artifact_location=root)
        else:
            experiment = found.experiment_id
        mine = f"tags.`{description.RUN_TAG}` = '{self.run.path}'"
        runs = self.client.search_runs([experiment], mine, max_results=1)
        mlflow_id: str = runs[0].info.run_id if runs else self._create(experiment)
        params = [Param(key, value) for key, value in description.parameters(self.run).items()]
        for start in range(0, len(params), _PARAMETERS):
            self.client.log_batch(mlflow_id, params=params[start : start + _PARAMETERS])
        tags = [RunTag(key, value) for key, value in description.tags(self.run).items()]
        self.client.log_batch(mlflow_id, tags=tags)
        self.position.mlflow_id = mlflow_id
        for path in files.of_submission(self.run):
            self._upload(path, str(path.parent.relative_to(self.run.path)))
        self.position.save(self.run)
        return mlflow_id

    def _create(self, experiment: str) -> str:
        first = next((entry.event["t"] for entry in journal.read(self.run.journal)), None)
        run = self.client.create_run(
            experiment,
            start_time=round(first * 1000) if first else None,
            run_name=self.run.id,
            tags={description.RUN_TAG: str(self.run.path)},
        )
        return str(run.info.run_id)

    # ---- what happened in it

    def _collect(self, event: Event) -> None:
        from mlflow.entities import Metric

        step = event["step"]
        for key, value in event["values"].items():
            if event["event"] == "metrics":
                if step <= self.newest.get(key, -1):
                    continue
                self.newest[key] = step
            self.points.append(Metric(key, float(value), round(event["t"] * 1000), step))

    def _send(self, mlflow_id: str, offset: int) -> None:
        """Send the collected points, and remember that everything up to `offset` is there.

        Killed between the two, the next pass sends the same points again, which the store knows
        by their step, time and value, and does not keep twice.
        """
        for start in range(0, len(self.points), BATCH):
            self.client.log_batch(mlflow_id, metrics=self.points[start : start + BATCH])
        self.count += len(self.points)
        self.points = []
        self.position.offset, self.position.newest = offset, dict(self.newest)
        self.position.save(self.run)

    def _tag(self, tags: dict[str, str]) -> None:
        from mlflow.entities import RunTag

        items = [RunTag(key, value) for key, value in tags.items()]
        for start in range(0, len(items), _TAGS):
            self.client.log_batch(self.position.mlflow_id, tags=items[start : start + _TAGS])

    def _tell_state(self, mlflow_id: str, event: Event) -> None:
        state = event["state"]
        if state in ENDED:
            for path, folder in files.of_end(self.run):
                self._upload(path, folder)
        if state == "completed":
            model.log(self.run, self.client, self.uri, mlflow_id)
        self._tag({"hpcdl.state": state, "hpcdl.reason": event.get("reason", "")})
        if state in ENDED:
            self.client.set_terminated(mlflow_id, STATUS[state], round(event["t"] * 1000))
        else:
            self.client.update_run(mlflow_id, status=STATUS[state])
        self.position.state, self.position.untold = state, None
        self.position.save(self.run)

    def _upload(self, path: Path, folder: str) -> None:
        if path.is_file():
            place = None if folder == "." else folder
            self.client.log_artifact(self.position.mlflow_id, str(path), place)

    def _upload_environment(self, event: Event) -> None:
        with tempfile.TemporaryDirectory() as folder:
            file = Path(folder, "environment.json")
            file.write_text(json.dumps(event.get("environment", {}), indent=2))
            self._upload(file, ".")
