"""Bringing a run's journal to MLflow: in batches, from where it was left, and never twice.

Metrics, parameters, tags and states go first, and wait for no file; see `uploads` for those. What
is written to a SQLite store's database is written under its lock, and for a turn of some seconds at
most: who brings a million points holds up no other.
"""

from __future__ import annotations

import contextlib
import gc
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hpc_dl.errors import EXIT_FAILED, UserError
from hpc_dl.jobspec.credentials import hidden
from hpc_dl.planning import tracking_store
from hpc_dl.run import journal
from hpc_dl.run.journal import ENDED, Entry, Event
from hpc_dl.run.layout import RunDir
from hpc_dl.tracking import (
    batch,
    cursor,
    dataset,
    description,
    lock,
    mlflow_run,
    store,
    store_uri,
    uploads,
)
from hpc_dl.tracking.cursor import Position

if TYPE_CHECKING:
    from mlflow.entities import Metric

TURN = 2.0
"""Seconds after which others who wait for a SQLite store have their turn, and the position is kept.
Killed within, the next pass sends again what the store has; it knows points by their step, time and
value, and does not keep them twice."""

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
    notes: tuple[str, ...] = ()
    """What the user should know: a damaged file that was made anew, what the store refused."""


def bring(run: RunDir, patience: float = 0.0) -> Brought:
    """Bring what is new in the journal to the store that the plan names, and then the files.

    Doing so twice adds nothing, and being killed in between loses nothing. Raises StoreAway where
    the store is not to be had, FilesWait where all arrived but files, and Held where another
    process brings this run, or writes to the same SQLite store, for longer than `patience` seconds;
    what was brought until then stays.
    """
    brought = bring_values(run, patience)
    bring_files(run, patience)
    return brought


def bring_values(run: RunDir, patience: float = 0.0) -> Brought:
    """Bring all but files: metrics, parameters, tags and states. It raises what `bring` raises."""
    if not values_wait(run):
        return Brought(0, Position.load(run).state)
    with _naming_files(run):
        uri = _uri(run)
        busy = f"another process is bringing {run.id}"
        with lock.held(run.tracking.with_suffix(".lock"), busy, patience), _seldom_collecting():
            sent = Position.load(run)
            if sent.store != hidden(uri):
                sent = Position(hidden(uri))
            return _Pass(run, uri, sent, patience).bring()


def bring_files(run: RunDir, patience: float = 0.0) -> None:
    """Upload the files of a run whose metrics are in the store. It raises what `bring` raises."""
    if uploads.wait(run):
        with _naming_files(run):
            uploads.upload(run, _uri(run), patience)


def waits(run: RunDir) -> bool:
    """Whether the journal has anything that the store does not know, or files wait."""
    return values_wait(run) or uploads.wait(run)


def values_wait(run: RunDir) -> bool:
    """Whether the journal has anything but files that the store does not know."""
    sent = Position.load(run)
    return sent.untold is not None or cursor.journal_size(run) > sent.offset


def _uri(run: RunDir) -> str:
    uri = store_uri.find(run)
    if uri is None:
        raise UserError(f"{run.path} has no {run.plan.name}", hint="It was never submitted.")
    if uri.startswith(tracking_store.SQLITE):
        submitted_in = description.mapping(run.provenance).get("folder")
        if not isinstance(submitted_in, str) and not store.database(uri).is_absolute():
            raise UserError(
                f"{run.provenance} is damaged, and does not say to what {uri} is relative",
                hint="Submit the job again, with a store whose path is absolute.",
            )
        uri = store.absolute(uri, Path(submitted_in or run.root))
        tracking_store.check(uri)
    return uri


@contextlib.contextmanager
def _naming_files(run: RunDir) -> Iterator[None]:
    """Turn what the file system says of the run folder into an error that the user can mend."""
    try:
        yield
    except OSError as error:
        raise UserError(
            f"{error.filename or run.path}: {error.strerror or error}",
            hint="Nothing is lost: `hpcdl sync` brings the rest afterwards.",
            exit_code=EXIT_FAILED,
        ) from error


@contextlib.contextmanager
def _seldom_collecting() -> Iterator[None]:
    """Keep the garbage collector from MLflow's own million objects, of which none is garbage."""
    gc.freeze()
    try:
        yield
    finally:
        gc.unfreeze()


class _Pass:
    def __init__(self, run: RunDir, uri: str, sent: Position, patience: float) -> None:
        self.run, self.uri, self.position, self.patience = run, uri, sent, patience
        self.newest = dict(sent.newest)
        self.points: list[Metric] = []
        self.count = 0
        self.notes = [
            f"{wrong}; it is made anew from the journal"
            for wrong in (
                cursor.damage(run.tracking, Position),
                cursor.damage(run.uploads, uploads.Uploads),
            )
            if wrong
        ]
        self.refused: dict[str, str] = {}

    def bring(self) -> Brought:
        entries: Iterator[Entry] | None = None
        while True:
            with store.opened(self.uri, self.patience) as self.client:
                if entries is None:
                    self._begin()
                    entries = journal.entries(self.run.journal, self.position.offset)
                if not self._take_turn(entries):
                    if self.position.untold is not None:
                        self._tell_state(self.position.untold)
                    break
            store.let_others(self.uri)
        refused = [f"the store refuses {what}: {why}" for what, why in self.refused.items()]
        return Brought(self.count, self.position.state, (*self.notes, *refused))

    def _begin(self) -> None:
        """Find the MLflow run, or make it. A store that was emptied is filled again."""
        known = self.position.mlflow_id
        if known is None or not mlflow_run.is_there(self.run, self.client, self.uri, known):
            found = mlflow_run.find_or_create(self.run, self.client, self.uri)
            self.position = Position(self.position.store, found)
            self.newest = {}
            self._describe()
            self.position.save(self.run)

    @property
    def mlflow_id(self) -> str:
        assert self.position.mlflow_id is not None
        return self.position.mlflow_id

    @property
    def batches(self) -> batch.Batches:
        return batch.Batches(self.client, self.mlflow_id, self.refused)

    def _describe(self) -> None:
        from mlflow.entities import Param

        self._tag(description.tags(self.run))
        told = self.client.get_run(self.mlflow_id).data.params  # which MLflow lets nobody change
        said = description.parameters(self.run)
        self.batches.params([Param(key, it) for key, it in said.items() if key not in told])
        if refused := dataset.tell(self.client, self.mlflow_id, self.run):
            self.refused["the data set"] = refused

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
                if len(self.points) + len(values) > batch.METRICS:
                    self._send(start)
                self._collect(event)
            case {"event": "started"}:
                found = description.environment(event)
                self._tag(description.tags(self.run) | description.started_tags(event, found))
            case {"event": "summary"}:
                there = self.client.get_run(self.mlflow_id).data.tags
                self._tag(description.results(event, there))
            case {"event": "state", "state": str()}:
                self.position.untold = event

    def _collect(self, event: Event) -> None:
        from mlflow.entities import Metric

        step, milliseconds = event["step"], description.milliseconds(event)
        for name, said in event["values"].items():
            if (value := description.number(said)) is None:
                continue
            key = description.plain(name)
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
        self.batches.metrics(self.points)
        self.count += len(self.points)
        self.points = []
        self.position.offset, self.position.newest = offset, dict(self.newest)

    def _tag(self, tags: dict[str, str]) -> None:
        from mlflow.entities import RunTag

        self.batches.tags([RunTag(key, value) for key, value in tags.items()])

    def _tell_state(self, event: dict[str, Any]) -> None:
        state, when = str(event.get("state")), description.milliseconds(event)
        self._tag(description.state_tags(event))
        if state in ENDED:
            self.client.set_terminated(self.mlflow_id, STATUS[state], when)
        elif state in STATUS:
            self.client.update_run(self.mlflow_id, status=STATUS[state])
        self.position.state, self.position.untold = state, None
        self.position.save(self.run)
