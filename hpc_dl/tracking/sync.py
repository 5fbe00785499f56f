"""Bringing a run's journal to MLflow: in batches, from where it was left, and never twice."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from hpc_dl import journal
from hpc_dl.errors import UserError
from hpc_dl.journal import ENDED, Event
from hpc_dl.rundir import RunDir, read_json
from hpc_dl.tracking import description, lock, model, store
from hpc_dl.tracking.files import Upload
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
    the store is not to be had, and Held where another process brings this run, or writes to the
    same SQLite store, for longer than `patience` seconds; what was brought until then stays.
    """
    if not waits(run):
        return Brought(0, Position.load(run).state)
    uri = _uri(run)
    busy = f"another process is bringing {run.id}"
    own = lock.held(run.tracking.with_suffix(".lock"), busy, patience)
    with own, store.opened(uri, patience) as client:
        position = Position.load(run)
        if position.store != store.without_password(uri):
            position = Position(store.without_password(uri))
        return _Pass(run, client, uri, position).bring()


def waits(run: RunDir) -> bool:
    """Whether the journal has anything that the store does not know."""
    position = Position.load(run)
    if position.untold is not None:
        return True
    return run.journal.exists() and run.journal.stat().st_size > position.offset


def _uri(run: RunDir) -> str:
    plan = read_json(run.plan)
    if plan is None:
        raise UserError(f"{run.path} has no {run.plan.name}", hint="It was never submitted.")
    submitted_in = (read_json(run.provenance) or {}).get("folder", run.root)
    return store.absolute(plan["tracking_uri"], Path(submitted_in))


class _Pass:
    def __init__(self, run: RunDir, client: MlflowClient, uri: str, position: Position) -> None:
        self.run, self.client, self.uri, self.position = run, client, uri, position
        self.points: list[Metric] = []
        self.count = 0
        self.newest: dict[str, int] = {}

    def bring(self) -> Brought:
        self.mlflow_id = self._known() or self._find_or_create()
        self.upload = Upload(self.run, self.client, self.uri, self.mlflow_id)
        self.newest = dict(self.position.newest)
        begin = end = self.position.offset
        if not begin:
            self._describe()
        for event, start, end in journal.read(self.run.journal, begin):
            self._take(event, start, end)
        self._send(end)
        if self.position.untold is not None:
            self._tell_state(self.position.untold)
        return Brought(self.count, self.position.state)

    # ---- the run in the store

    def _known(self) -> str | None:
        """The MLflow run, if it is known and there. A store that was emptied is filled again."""
        from mlflow.exceptions import MlflowException

        if self.position.mlflow_id is None:
            return None
        try:
            found = self.client.get_run(self.position.mlflow_id)
        except MlflowException as error:
            if error.error_code != "RESOURCE_DOES_NOT_EXIST":
                raise
            self.position = Position(self.position.store)
            return None
        if found.info.lifecycle_stage != "active":
            raise UserError(
                f"{self.run.id} was deleted in the MLflow store",
                hint=f"To have it back: mlflow runs restore --run-id {self.position.mlflow_id}",
            )
        return self.position.mlflow_id

    def _find_or_create(self) -> str:
        """One run folder is one MLflow run, also if the position was lost after its creation."""
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
        self.position.mlflow_id = mlflow_id
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

    def _describe(self) -> None:
        from mlflow.entities import Param

        self._tag(description.tags(self.run))
        told = self.client.get_run(self.mlflow_id).data.params  # which MLflow lets nobody change
        params = [
            Param(key, self._shown(value))
            for key, value in description.parameters(self.run).items()
            if key not in told
        ]
        for start in range(0, len(params), _PARAMETERS):
            self.client.log_batch(self.mlflow_id, params=params[start : start + _PARAMETERS])
        self.upload.submission()

    # ---- what happened in it

    def _take(self, event: Event, start: int, end: int) -> None:
        match event["event"]:
            case "metrics" | "system":
                if len(self.points) + len(event["values"]) > BATCH:
                    self._send(start)
                self._collect(event)
            case "artifact":
                self.upload.artifact(event["path"])
                self._send(end)
            case "started":
                self._tag(description.tags(self.run) | description.started_tags(event))
                self.upload.environment(event.get("environment", {}))
            case "state":
                self.position.untold = event

    def _collect(self, event: Event) -> None:
        from mlflow.entities import Metric

        step = event["step"]
        for key, value in event["values"].items():
            if event["event"] == "metrics":
                if step <= self.newest.get(key, -1):
                    continue
                self.newest[key] = step
            time = round(event["t"] * 1000)
            self.points.append(Metric(description.name(key), float(value), time, step))

    def _send(self, offset: int) -> None:
        """Send the collected points, and remember that everything up to `offset` is there.

        Killed between the two, the next pass sends the same points again, which the store knows
        by their step, time and value, and does not keep twice.
        """
        for start in range(0, len(self.points), BATCH):
            self.client.log_batch(self.mlflow_id, metrics=self.points[start : start + BATCH])
        self.count += len(self.points)
        self.points = []
        self.position.offset, self.position.newest = offset, dict(self.newest)
        self.position.save(self.run)

    def _tag(self, tags: dict[str, str]) -> None:
        from mlflow.entities import RunTag

        items = [RunTag(key, self._shown(value)) for key, value in tags.items()]
        for start in range(0, len(items), _TAGS):
            self.client.log_batch(self.mlflow_id, tags=items[start : start + _TAGS])

    def _shown(self, text: str) -> str:
        return text.replace(self.uri, store.without_password(self.uri))

    def _tell_state(self, event: Event) -> None:
        state = event["state"]
        if state in ENDED:
            self.upload.checkpoints()
        if state == "completed":
            model.log(self.run, self.client, self.uri, self.mlflow_id)
        self._tag(description.state_tags(event))
        if state in ENDED:
            self.client.set_terminated(self.mlflow_id, STATUS[state], round(event["t"] * 1000))
        else:
            self.client.update_run(self.mlflow_id, status=STATUS[state])
        self.position.state, self.position.untold = state, None
        self.position.save(self.run)
