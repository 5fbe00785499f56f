"""Bringing a run's journal to MLflow: in batches, from where it was left, and never twice.

Only what is written to the store's database is written under a SQLite store's lock, and for a turn
of some seconds at most: who brings gigabytes or a million points holds up no other.
"""

from __future__ import annotations

import gc
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hpc_dl import journal, tracking_uri
from hpc_dl.credentials import hidden
from hpc_dl.errors import UserError
from hpc_dl.journal import ENDED, Entry, Event
from hpc_dl.rundir import RunDir, read_json
from hpc_dl.tracking import description, lock, model, store, target
from hpc_dl.tracking.files import Upload
from hpc_dl.tracking.position import Position

if TYPE_CHECKING:
    from mlflow.entities import Metric

BATCH = 1000
"""Metrics that one request may hold."""
TURN = 2.0
"""Seconds after which others who wait for a SQLite store have their turn, and the position is kept.
Killed within, the next pass sends again what the store has; it knows points by their step, time and
value, and does not keep them twice."""
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
    with lock.held(run.tracking.with_suffix(".lock"), busy, patience), _seldom_collecting():
        position = Position.load(run)
        if position.store != hidden(uri):
            position = Position(hidden(uri))
        return _Pass(run, uri, position, patience).bring()


def waits(run: RunDir) -> bool:
    """Whether the journal has anything that the store does not know."""
    position = Position.load(run)
    if position.untold is not None or position.files:
        return True
    return run.journal.exists() and run.journal.stat().st_size > position.offset


def _uri(run: RunDir) -> str:
    uri = tracking_uri.find(run)
    if uri is None:
        raise UserError(f"{run.path} has no {run.plan.name}", hint="It was never submitted.")
    submitted_in = (read_json(run.provenance) or {}).get("folder", run.root)
    return store.absolute(uri, Path(submitted_in))


@contextmanager
def _seldom_collecting() -> Iterator[None]:
    """Keep the garbage collector from MLflow's own million objects, of which none is garbage."""
    gc.freeze()
    try:
        yield
    finally:
        gc.unfreeze()


class _Pass:
    def __init__(self, run: RunDir, uri: str, position: Position, patience: float) -> None:
        self.run, self.uri, self.position, self.patience = run, uri, position, patience
        self.newest = dict(position.newest)
        self.points: list[Metric] = []
        self.count = 0

    def bring(self) -> Brought:
        entries: Iterator[Entry] | None = None
        while True:
            with store.opened(self.uri, self.patience) as self.client:
                if entries is None:
                    self._begin()
                    entries = journal.entries(self.run.journal, self.position.offset)
                if not self._take_turn(entries):
                    break
            store.let_others(self.uri)
        self._upload()
        if self.position.untold is not None:
            self._tell_state(self.position.untold)
        return Brought(self.count, self.position.state)

    def _begin(self) -> None:
        """Find the MLflow run, or make it. A store that was emptied is filled again."""
        known = self.position.mlflow_id
        if known is None or not target.is_there(self.run, self.client, known):
            found = target.find_or_create(self.run, self.client, self.uri)
            self.position = Position(self.position.store, found)
            self.newest = {}
            self._describe()
            self.position.save(self.run)

    @property
    def mlflow_id(self) -> str:
        assert self.position.mlflow_id is not None
        return self.position.mlflow_id

    def _describe(self) -> None:
        from mlflow.entities import Param

        self._tag(description.tags(self.run))
        told = self.client.get_run(self.mlflow_id).data.params  # which MLflow lets nobody change
        params = [
            Param(key, value)
            for key, value in description.parameters(self.run).items()
            if key not in told
        ]
        for start in range(0, len(params), _PARAMETERS):
            self.client.log_batch(self.mlflow_id, params=params[start : start + _PARAMETERS])
        self.position.add(*description.files(self.run))

    # ---- what happened in it

    def _take_turn(self, entries: Iterator[Entry]) -> bool:
        """Send points until the turn is over; whether there are more."""
        until, end = time.monotonic() + TURN, self.position.offset
        try:
            for event, start, end in entries:
                self._take(event, start)
                if time.monotonic() >= until:
                    self._send(end)
                    return True
            self._send(end)
        finally:
            self.position.save(self.run)
        return False

    def _take(self, event: Event, start: int) -> None:
        """Do what an event asks for; those of an older or a newer hpcdl that say less, nothing."""
        match event:
            case {"event": "metrics" | "system", "step": int(), "values": dict(values)}:
                if len(self.points) + len(values) > BATCH:
                    self._send(start)
                self._collect(event)
            case {"event": "artifact", "path": str(path)}:
                self.position.add(path)
            case {"event": "started"}:
                found = description.environment(event)
                self._tag(description.tags(self.run) | description.started_tags(event, found))
                self._uploads().environment(found)
            case {"event": "state", "state": str()}:
                self.position.untold = event

    def _collect(self, event: Event) -> None:
        from mlflow.entities import Metric

        step, milliseconds = event["step"], description.milliseconds(event)
        for key, said in event["values"].items():
            if (value := description.number(said)) is None:
                continue
            if event["event"] == "metrics":
                if step <= self.newest.get(key, -1):
                    continue
                self.newest[key] = step
            self.points.append(Metric(description.name(key), value, milliseconds, step))

    def _send(self, offset: int) -> None:
        """Send the collected points: everything up to `offset` is there then.

        The newest come first, for MLflow compares each with the newest so far, and notes it.
        """
        self.points.reverse()
        for start in range(0, len(self.points), BATCH):
            self.client.log_batch(self.mlflow_id, metrics=self.points[start : start + BATCH])
        self.count += len(self.points)
        self.points = []
        self.position.offset, self.position.newest = offset, dict(self.newest)

    def _tag(self, tags: dict[str, str]) -> None:
        from mlflow.entities import RunTag

        items = [RunTag(key, value) for key, value in tags.items()]
        for start in range(0, len(items), _TAGS):
            self.client.log_batch(self.mlflow_id, tags=items[start : start + _TAGS])

    # ---- files, and how it ended

    def _uploads(self) -> Upload:
        return Upload(self.run, self.client, self.mlflow_id)

    def _upload(self) -> None:
        """Files need no lock: they do not go to the database."""
        with store.reached(self.uri) as self.client:
            while self.position.files:
                self._uploads().file(self.position.files[0])
                del self.position.files[0]
                self.position.save(self.run)

    def _tell_state(self, event: dict[str, Any]) -> None:
        state, when = event["state"], description.milliseconds(event)
        with store.reached(self.uri) as self.client:
            if state in ENDED:
                self._uploads().checkpoints()
            if state == "completed":
                model.log(self.run, self.client, self.uri, self.mlflow_id)
        with store.opened(self.uri, self.patience) as self.client:
            self._tag(description.state_tags(event))
            if state in ENDED:
                self.client.set_terminated(self.mlflow_id, STATUS[state], when)
            elif state in STATUS:
                self.client.update_run(self.mlflow_id, status=STATUS[state])
            self.position.state, self.position.untold = state, None
            self.position.save(self.run)
