"""Send a run's journal to MLflow: in batches, from the cursor on, and nothing twice.

Metrics, parameters, tags and states go first and wait for no file; `uploads` sends the files. The
database of a SQLite store is written under its lock, for some seconds at a time: a run with a
million points does not hold up the others.
"""

from __future__ import annotations

import contextlib
import errno
import gc
import itertools
import os
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hpc_dl.errors import EXIT_FAILED, UserError
from hpc_dl.jobspec.credentials import hidden
from hpc_dl.planning import tracking_store
from hpc_dl.run import journal, membership
from hpc_dl.run.journal import ENDED, Entry, Event
from hpc_dl.run.layout import DamagedFile, RunDir, writing_as
from hpc_dl.tracking import (
    batch,
    cursor,
    dataset,
    description,
    experiment,
    lock,
    marks,
    mlflow_run,
    note,
    parent_run,
    store,
    store_uri,
    uploads,
)
from hpc_dl.tracking.cursor import Cursor

if TYPE_CHECKING:
    from mlflow.entities import Metric, Run

LOCK_SECONDS = 2.0
"""How long a sync holds the lock of a SQLite store at a time; the cursor is saved after each.

Killed within, the next sync sends again what the store has. MLflow knows a point by its step, time
and value, and does not store it twice."""

STATUS = {
    "planned": "SCHEDULED",
    "requeued": "SCHEDULED",
    "running": "RUNNING",
    "completed": "FINISHED",
    "paused": "FINISHED",
    "failed": "FAILED",
    "timeout": "FAILED",
    "stopped": "KILLED",
    "cancelled": "KILLED",
}
"""MLflow's status for each state of a run."""


@dataclass(frozen=True)
class SyncResult:
    """Result of a sync."""

    points: int
    """Metric values that are new in the store."""
    state: str
    """The last state of the run that the store knows."""
    notes: tuple[str, ...] = ()
    """Messages for the user: a damaged file that was rebuilt, what the store refused."""


def sync_run(run: RunDir, lock_timeout: float = 0.0) -> SyncResult:
    """Send what is new in the journal to the store that the plan names, and then the files.

    Repeating it adds nothing, and a kill loses nothing. Raises StoreUnavailable; FilesPending if
    only files were refused; LockTimeout if another process syncs this run, or writes to the same
    SQLite store, for `lock_timeout` seconds. What was sent until then stays.
    """
    result = sync_journal(run, lock_timeout)
    upload_files(run, lock_timeout)
    return result


def sync_journal(run: RunDir, lock_timeout: float = 0.0) -> SyncResult:
    """Send metrics, parameters, tags and states. Raises the same errors as `sync_run`."""
    if not is_pending(run):
        return SyncResult(0, Cursor.load(run).state)
    with _file_errors(run), writing_as(run, beside=True):
        uri = find_uri(run)
        lock_file = run.tracking.with_suffix(".lock")
        message = f"another process is sending the journal of {run.id}"
        with lock.acquire(lock_file, message, lock_timeout), _frozen_garbage_collector():
            return _JournalSync(run, uri, Cursor.load(run), lock_timeout).run_to_end()


def upload_files(run: RunDir, lock_timeout: float = 0.0) -> bool:
    """Upload pending files of a run whose metrics are in the store; return whether it had some.

    Errors as of `sync_run`.
    """
    if not uploads.has_pending_files(run):
        return False
    with _file_errors(run), writing_as(run, beside=True):
        return uploads.upload(run, find_uri(run), lock_timeout)


def is_pending(run: RunDir) -> bool:
    """Return whether events or files of the run are not in the store yet."""
    return has_pending_events(run) or uploads.has_pending_files(run)


def has_pending_events(run: RunDir) -> bool:
    """Return whether events of the journal are not in the store yet."""
    sent = Cursor.load(run)
    if sent.pending_state is not None or cursor.journal_size(run) > sent.offset:
        return True
    if sent.mlflow_id is None:
        return False
    return sent.folder not in ("", run.id) or _has_other_store(run, sent)


def _has_other_store(run: RunDir, sent: Cursor) -> bool:
    """Return whether the run goes to another store by now, as after a move."""
    with contextlib.suppress(UserError):
        return sent.store != hidden(find_uri(run))
    return False


def find_uri(run: RunDir) -> str:
    """Return the URI of the store that a run, or a sweep, goes to. Raises UserError."""
    uri = store_uri.load(run)
    if uri is None:
        raise UserError(f"{run.path} has no {run.plan.name}", hint="It was never submitted.")
    if uri.startswith(tracking_store.SQLITE):
        submitted_in = description.read_mapping(run.provenance).get("folder")
        if not isinstance(submitted_in, str) and not store_uri.sqlite_file(uri).is_absolute():
            raise UserError(
                f"{run.provenance} is damaged, and does not say to what {uri} is relative",
                hint="Submit the job again, with a store whose path is absolute.",
            )
        uri = store_uri.absolute(uri, Path(submitted_in or run.root))
        tracking_store.check(uri)
    return uri


@contextlib.contextmanager
def _file_errors(run: RunDir) -> Iterator[None]:
    """Turn OSErrors of the run folder into UserErrors."""
    try:
        yield
    except OSError as error:
        raise UserError(
            f"{error.filename or run.path}: {error.strerror or error}",
            hint="Nothing is lost: `hpcdl sync` sends the rest afterwards.",
            exit_code=EXIT_FAILED,
        ) from error


@contextlib.contextmanager
def _frozen_garbage_collector() -> Iterator[None]:
    """Exempt MLflow's million long-lived objects from garbage collection."""
    gc.freeze()
    try:
        yield
    finally:
        gc.unfreeze()


class _JournalSync:
    """One sync of a journal: reads events from the cursor on and sends them in batches."""

    def __init__(self, run: RunDir, uri: str, sent: Cursor, lock_timeout: float) -> None:
        self.run, self.uri, self.cursor, self.lock_timeout = run, uri, sent, lock_timeout
        self.newest = dict(sent.newest)
        self.points: list[Metric] = []
        self.count = 0
        self.notes = [
            f"{damage}; it is rebuilt from the journal"
            for damage in (
                cursor.describe_damage(run.tracking, Cursor),
                cursor.describe_damage(run.uploads, uploads.Uploads),
            )
            if damage
        ]
        self.refused: dict[str, str] = {}
        self.swept: list[str] = []

    def run_to_end(self) -> SyncResult:
        store.import_client(self.uri)
        if not self.run.path.exists():  # it was moved meanwhile: no store is made where it was
            raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), str(self.run.path))
        entries: Iterator[Entry] | None = None
        known: set[str] = set()
        while True:
            with store.open_store(self.uri, self.lock_timeout) as self.client:
                if entries is None:
                    entries = self._begin()
                    known = set(self.cursor.newest)
                if self._send_for_a_while(entries):
                    self._show_metrics(known)
                    if self.cursor.pending_state is not None:
                        self._send_state(self.cursor.pending_state)
                    break
            store.let_others_lock(self.uri)
        refused = [f"the store refuses {key}: {why}" for key, why in self.refused.items()]
        return SyncResult(self.count, self.cursor.state, (*self.notes, *refused))

    def _begin(self) -> Iterator[Entry]:
        """Find or create the MLflow run, mark it, and return what is to be sent to it.

        A store that was emptied is filled again. The mark comes before what it stands for: there
        another copy of the run finds it.
        """
        end, store_name = cursor.journal_size(self.run), hidden(self.uri)
        known = self._find_known_run()
        found = known or mlflow_run.find_or_create(self.run, self.client, self.uri)
        if mlflow_run.is_of_original(self.run, found):  # which has sent the same
            self.cursor = Cursor(store_name, found.info.run_id, end, state=self.cursor.state)
            self.cursor.folder = self.run.id
            return iter(())
        if not known or not (self.cursor.store == store_name or self._has_end(found)):
            self.cursor, self.newest = Cursor(store_name, found.info.run_id), {}
            self._send_description()
        self._make_child(found)
        self.cursor.store = store_name
        is_renamed, self.cursor.folder = self.cursor.folder != self.run.id, self.run.id
        if end > self.cursor.offset or (end and is_renamed):
            self.cursor.mark = marks.make(self.run, end)
            self.cursor.save(self.run)
            self._send_tags({description.RUN_TAG: str(self.run.path), marks.TAG: self.cursor.mark})
        entries = journal.entries(self.run.journal, self.cursor.offset)
        return itertools.takewhile(lambda entry: entry.start < end, entries)

    def _make_child(self, found: Run) -> None:
        """Make the MLflow run of a trial a child of its sweep's."""
        try:
            trial = membership.find(self.run)
        except DamagedFile as error:
            self.notes.append(str(error))
            return
        if trial and trial.folder(self.run).is_dir():
            self.swept = trial.options
            self._send_tags(parent_run.child_tags(self.run, trial, self.client, found))

    def _find_known_run(self) -> Run | None:
        """Return the MLflow run that the cursor names, unless another copy of the run went on
        there."""
        known = self.cursor.mlflow_id
        found = mlflow_run.get(self.run, self.client, self.uri, known) if known else None
        if found is None or not mlflow_run.is_of_other_copy(self.run, found, self.cursor.mark):
            return found
        self.notes.append(f"another copy of it went on in MLflow run {known}; this one has its own")
        return None

    def _has_end(self, found: Run) -> bool:
        """Return whether a store that was moved has all that the cursor says, as it has of a run
        that has ended; it may have been copied before the run went on."""
        tags = found.data.tags
        return (
            self.cursor.state in ENDED
            and tags.get(description.STATE_TAG) == self.cursor.state
            and tags.get(marks.TAG) == self.cursor.mark
        )

    @property
    def mlflow_id(self) -> str:
        assert self.cursor.mlflow_id is not None
        return self.cursor.mlflow_id

    @property
    def batches(self) -> batch.Batches:
        return batch.Batches(self.client, self.mlflow_id, self.refused)

    def _send_description(self) -> None:
        from mlflow.entities import Param

        self._send_tags(description.run_tags(self.run))
        known = self.client.get_run(self.mlflow_id).data.params  # MLflow lets nobody change them
        found = description.parameters(self.run)
        self.batches.params([Param(key, it) for key, it in found.items() if key not in known])
        if refused := dataset.log(self.client, self.mlflow_id, self.run):
            self.refused["the data set"] = refused

    def _show_metrics(self, known: set[str]) -> None:
        """Give metrics that the experiment may not have had before a column in its table."""
        if set(self.cursor.newest) != known:
            at = self.client.get_run(self.mlflow_id).info.experiment_id
            if refused := experiment.show(self.client, at, self.cursor.newest, self.swept):
                self.refused["the view of metrics"] = refused

    def _send_for_a_while(self, entries: Iterator[Entry]) -> bool:
        """Send points for LOCK_SECONDS; return whether these were all."""
        deadline, end = time.monotonic() + LOCK_SECONDS, self.cursor.offset
        try:
            for event, start, end in entries:
                self._handle(event, start)
                if time.monotonic() >= deadline:
                    self._send_points(end)
                    return False
            self._send_points(end)
        finally:
            self.cursor.save(self.run)
        return True

    def _handle(self, event: Event, start: int) -> None:
        """Collect the event's points or send its tags; unknown and malformed events are skipped."""
        match event:
            case {"event": "metrics" | "system" | "report", "step": int(), "values": dict(values)}:
                if len(self.points) + len(values) > batch.METRICS:
                    self._send_points(start)
                self._collect(event)
                if event["event"] == "report":
                    self._send_tags(description.report_tags(event))
            case {"event": "started"}:
                found = description.environment(event)
                tags = description.started_tags(event, found)
                self._send_tags(description.run_tags(self.run) | tags)
            case {"event": "summary"}:
                self._send_tags(description.summary_tags(event))
            case {"event": "state", "state": str()}:
                self.cursor.pending_state = event

    def _collect(self, event: Event) -> None:
        step, milliseconds = event["step"], description.timestamp_ms(event)
        for name, item in event["values"].items():
            if (value := description.parse_number(item)) is None:
                continue
            key = description.clean_text(name)
            if event["event"] == "metrics":
                if step <= self.newest.get(key, -1):
                    continue
                self.newest[key] = step
            self.points.append(description.metric(key, value, milliseconds, step))

    def _send_points(self, offset: int) -> None:
        """Send the collected points, and move the cursor to `offset`.

        Newest first: MLflow compares each point with the newest so far, and updates that.
        """
        self.points.reverse()
        self.batches.metrics(self.points)
        self.count += len(self.points)
        self.points = []
        self.cursor.offset, self.cursor.newest = offset, dict(self.newest)

    def _send_tags(self, tags: dict[str, str]) -> None:
        from mlflow.entities import RunTag

        self.batches.tags([RunTag(key, value) for key, value in tags.items()])

    def _send_state(self, event: dict[str, Any]) -> None:
        state, when = str(event.get("state")), description.timestamp_ms(event)
        known = self.client.get_run(self.mlflow_id).data.tags
        self._send_tags(description.state_tags(event) | note.tags(self.run, self.mlflow_id, known))
        if state in ENDED:
            self.client.set_terminated(self.mlflow_id, STATUS[state], when)
        elif state in STATUS:
            self.client.update_run(self.mlflow_id, status=STATUS[state])
        self.cursor.state, self.cursor.pending_state = state, None
        self.cursor.save(self.run)
