"""Files of a run go to the artifact store after the metrics, each for itself.

A store whose database takes metrics may refuse files: they have a place of their own, which may be
full, away, or one that only the server can write.
"""

from __future__ import annotations

import contextlib
import dataclasses
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import PurePosixPath
from typing import TYPE_CHECKING

from hpc_dl.errors import EXIT_FAILED
from hpc_dl.jobspec.credentials import hidden
from hpc_dl.run import journal
from hpc_dl.run.journal import ENDED, Event
from hpc_dl.run.layout import RunDir, make_folder, mode_of
from hpc_dl.tracking import cursor, description, lock, store
from hpc_dl.tracking.cursor import Offset, Position
from hpc_dl.tracking.files import CHECKPOINTS, ENVIRONMENT, MODEL, Replaced, Upload

if TYPE_CHECKING:
    from mlflow import MlflowClient

ENOUGH = 20.0
"""Seconds that uploads may fail in one pass, before the rest is left for the next."""
_KINDS = ("artifact", "started", "state")
_SHOWN = 3


class FilesWait(store.StoreAway):
    """The store has the metrics, and its artifact store did not take every file."""


@dataclass
class Uploads:
    """What is still to be uploaded, and why it was not."""

    mlflow_id: str = ""
    offset: Offset = 0
    """Bytes of the journal whose files are known."""
    waiting: dict[str, str] = field(default_factory=dict)
    """The names of files, each with what the artifact store said last; "" before it was asked."""

    @classmethod
    def load(cls, run: RunDir, sent: Position) -> Uploads:
        """Where it was left; all files are uploaded again to another MLflow run, or where that is
        not known, for the journal says which there are."""
        found = cursor.load(run.uploads, cls)
        if found is None or found.mlflow_id != sent.mlflow_id or found.offset > sent.offset:
            found = cls(sent.mlflow_id or "", waiting=dict.fromkeys(description.files(run), ""))
        return found

    def save(self, run: RunDir) -> None:
        cursor.save(run.uploads, dataclasses.asdict(self))

    def read_journal(self, run: RunDir, end: int) -> None:
        """Add the files that the journal names up to byte `end`."""
        for event, start, _ in journal.read(run.journal, self.offset, kinds=_KINDS):
            if start >= end:
                break
            for name in _named(event):
                self.waiting.setdefault(name, "")
        self.offset = max(self.offset, end)


def wait(run: RunDir) -> bool:
    """Whether files of a run wait whose metrics are in the store."""
    sent = Position.load(run)
    if sent.mlflow_id is None:
        return False
    found = cursor.load(run.uploads, Uploads)
    if found is None or found.mlflow_id != sent.mlflow_id:
        return True
    return bool(found.waiting) or found.offset < sent.offset


def describe(run: RunDir) -> str:
    """Which files of a run the artifact store did not take when it was asked last; "" if none."""
    found = cursor.load(run.uploads, Uploads) or Uploads()
    refused = {name: why for name, why in found.waiting.items() if why}
    if not refused:
        return ""
    return f"{len(found.waiting)} files wait for the artifact store: {_by_reason(refused)}"


def upload(run: RunDir, uri: str, patience: float = 0.0) -> None:
    """Upload what waits.

    Raises FilesWait, with the reasons, where the artifact store did not take everything; StoreAway
    where the store itself does not answer; and Held where another process uploads this run's files
    for longer than `patience` seconds.
    """
    if not wait(run):
        return
    busy = f"another process is uploading files of {run.id}"
    with lock.held(run.uploads.with_suffix(".lock"), busy, patience):
        sent = Position.load(run)
        uploads = Uploads.load(run, sent)
        uploads.read_journal(run, sent.offset)
        if uploads.waiting:
            with store.reached(uri) as client:
                root = str(client.get_run(uploads.mlflow_id).info.artifact_uri)
            _make_folder(run, uri)
            _upload_each(run, uploads, client)
        uploads.save(run)
        if uploads.waiting:
            raise _what_waits(run, uri, uploads.waiting, root)


def _upload_each(run: RunDir, uploads: Uploads, client: MlflowClient) -> None:
    """Try every file once, the model last, and stop where failing itself takes long."""
    sender, lost = Upload(run, client, uploads.mlflow_id), 0.0
    for name in sorted(uploads.waiting, key=lambda name: name == MODEL):
        began = time.monotonic()
        try:
            sender.send(name)
        except Exception as error:  # each kind of artifact store has its own
            lost += time.monotonic() - began
            del uploads.waiting[name]  # and to the end, behind what was not tried
            uploads.waiting[name] = _reason(error)
            if lost > ENOUGH:
                break
        else:
            del uploads.waiting[name]
            uploads.save(run)


def _make_folder(run: RunDir, uri: str) -> None:
    """Make the folder of a database's artifacts, which will hold what run folders hold."""
    folder = store.artifact_folder(uri, run.root)
    if folder and not folder.exists():
        with contextlib.suppress(OSError):  # each file will say it
            make_folder(folder, mode_of(run))


def _named(event: Event) -> Iterator[str]:
    """The files that an event is about."""
    match event:
        case {"event": "artifact", "path": str(path)} if _is_inside(path):
            yield path
        case {"event": "started"} if description.environment(event):
            yield ENVIRONMENT
        case {"event": "state", "state": str(state)} if state in ENDED:
            yield from CHECKPOINTS
            if state == "completed":
                yield MODEL


def _is_inside(path: str) -> bool:
    """Whether it is a path in the run folder."""
    pure = PurePosixPath(path)
    plain = path == description.plain(path)
    return plain and bool(pure.parts) and not pure.is_absolute() and ".." not in pure.parts


def _reason(error: Exception) -> str:
    if isinstance(error, Replaced):
        return str(error)
    if isinstance(error, OSError) and error.strerror:
        at = f": {error.filename}" if error.filename else ""
        return f"{error.strerror}{at}"
    return store.what(error)


_ADVICE = {
    "it takes too long": "For large files on a slow store set MLFLOW_HTTP_REQUEST_TIMEOUT=600.",
    "No module named": "Install that package, which the artifact store needs.",
    "No space left": "Make space there.",
    "uota": "Make space there.",
}


def _what_waits(run: RunDir, uri: str, waiting: dict[str, str], root: str) -> FilesWait:
    reasons = " ".join(waiting.values())
    advice = [said for word, said in _ADVICE.items() if word in reasons]
    if not advice and root.startswith(("file:", "/")) and not store.is_database(uri):
        advice = [
            "The server gives its clients a folder of its own machine: start it with "
            "--serve-artifacts, for new experiments, or make that folder writable here."
        ]
    return FilesWait(
        f"{len(waiting)} files of {run.id} wait, for the artifact store {hidden(root)} "
        f"did not take them: {_by_reason(waiting)}",
        hint=" ".join(
            [*advice, "Metrics and state have arrived; `hpcdl sync` brings the files afterwards."]
        ),
        exit_code=EXIT_FAILED,
    )


def _by_reason(waiting: dict[str, str]) -> str:
    """Some names of files, each with why it waits, in a line."""
    reasons: dict[str, list[str]] = {}
    for name, reason in sorted(waiting.items(), key=lambda item: item[1] == ""):
        reasons.setdefault(reason or "not tried yet", []).append(name)
    said = []
    for reason, names in reasons.items():
        more = f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN else ""
        said.append(f"{', '.join(names[:_SHOWN])}{more}: {reason}")
    return "; ".join(said)
