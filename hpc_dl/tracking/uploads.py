"""Pending uploads: files of a run that the artifact store does not have yet.

Files go after the metrics, one by one: the artifact store is another place than the database, and
may be full, down, or writable for the server alone.
"""

from __future__ import annotations

import contextlib
import dataclasses
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import PurePosixPath

from hpc_dl.errors import EXIT_FAILED, first_few
from hpc_dl.jobspec.credentials import hidden
from hpc_dl.run import journal
from hpc_dl.run.journal import ENDED, Event
from hpc_dl.run.layout import RunDir, make_folder, mode_of
from hpc_dl.tracking import cursor, description, links, lock, mlflow_run, store, store_uri
from hpc_dl.tracking.cursor import Cursor, Offset
from hpc_dl.tracking.files import CHECKPOINTS, ENVIRONMENT, MODEL, Replaced, Upload

FAILING_SECONDS = 20.0
"""How long uploads may fail in one sync, before the rest is left for the next."""
_KINDS = ("artifact", "report", "started", "state")
_SHOWN = 3


class FilesPending(store.StoreUnavailable):
    """The store has the metrics, but the artifact store did not take every file."""


@dataclass
class Uploads:
    """The pending files of a run, kept in the run folder."""

    mlflow_id: str = ""
    offset: Offset = 0
    """How far the journal has been read for files, in bytes."""
    waiting: dict[str, str] = field(default_factory=dict)
    """Names of pending files, each with the last error of the artifact store; "" if not tried."""

    @classmethod
    def load(cls, run: RunDir, sent: Cursor) -> Uploads:
        """Return the saved ones; for a new MLflow run, or a damaged file, all files of the run."""
        found = cursor.load(run.uploads, cls)
        if found is None or found.mlflow_id != sent.mlflow_id or found.offset > sent.offset:
            found = cls(
                sent.mlflow_id or "", waiting=dict.fromkeys(description.initial_files(run), "")
            )
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


def has_pending_files(run: RunDir) -> bool:
    """Return whether files are pending of a run whose metrics are in the store."""
    sent = Cursor.load(run)
    if sent.mlflow_id is None:
        return False
    found = cursor.load(run.uploads, Uploads)
    if found is None or found.mlflow_id != sent.mlflow_id:
        return True
    return bool(found.waiting) or found.offset < sent.offset


def describe_pending(run: RunDir, has_ended: bool) -> str:
    """Describe the pending files, with the reasons; "" if none.

    While a run trains, files wait as a matter of course: only refused ones are worth a word.
    """
    found = cursor.load(run.uploads, Uploads) or Uploads()
    told = {name: why for name, why in found.waiting.items() if why or has_ended}
    if not told:
        return ""
    wait = "1 file waits" if len(found.waiting) == 1 else f"{len(found.waiting)} files wait"
    sync = f"; `hpcdl sync {run.id}` sends what waits" if has_ended else ""
    return f"{wait} for the artifact store: {_by_reason(told)}{sync}"


def upload(run: RunDir, uri: str, lock_timeout: float = 0.0) -> bool:
    """Upload the pending files; return whether there were some.

    Raises FilesPending, with the reasons, if the artifact store refuses some; StoreUnavailable if
    the store itself does not answer; LockTimeout if another process uploads files of this run for
    `lock_timeout` seconds.
    """
    if not has_pending_files(run):
        return False
    message = f"another process is uploading files of {run.id}"
    with lock.acquire(run.uploads.with_suffix(".lock"), message, lock_timeout):
        sent = Cursor.load(run)
        uploads = Uploads.load(run, sent)
        uploads.read_journal(run, sent.offset)
        pending = bool(uploads.waiting)
        if uploads.waiting:
            with store.connect(uri) as client:
                found = client.get_run(uploads.mlflow_id)
            root = str(found.info.artifact_uri)
            if mlflow_run.is_of_other_copy(run, found, sent.mark):
                raise FilesPending(
                    f"another copy of {run.id} went on in MLflow run {uploads.mlflow_id}",
                    hint=f"`hpcdl sync {run.id}` sends this one to a run of its own.",
                    exit_code=EXIT_FAILED,
                )
            _make_folder(run, uri)
            if mlflow_run.is_of_original(run, found):  # which uploads the same
                uploads.waiting.clear()
            artifacts = links.local_folder(root)
            _upload_each(uploads, Upload(run, client, uploads.mlflow_id, artifacts))
        uploads.save(run)
        if uploads.waiting:
            raise _pending_error(run, uri, uploads.waiting, root)
    return pending


def _upload_each(uploads: Uploads, sender: Upload) -> None:
    """Try every file once, the model last; give up after FAILING_SECONDS of errors."""
    failing = 0.0
    for name in sorted(uploads.waiting, key=lambda name: name == MODEL):
        began = time.monotonic()
        try:
            sender.send(name)
        except Exception as error:  # each kind of artifact store raises its own
            failing += time.monotonic() - began
            del uploads.waiting[name]  # to move it to the end, behind those not tried
            uploads.waiting[name] = _reason(error)
            if failing > FAILING_SECONDS:
                break
        else:
            del uploads.waiting[name]
            uploads.save(sender.run)


def _make_folder(run: RunDir, uri: str) -> None:
    """Create the artifact folder of a database, with the permissions of the run folder."""
    folder = store_uri.artifact_folder(uri, run.root)
    if folder and not folder.exists():
        with contextlib.suppress(OSError):  # reported for each file
            make_folder(folder, mode_of(run))


def _named(event: Event) -> Iterator[str]:
    """Yield the names of the files that an event announces."""
    match event:
        case {"event": "artifact" | "report", "path": str(path)} if _is_inside(path):
            yield path
        case {"event": "started"} if description.environment(event):
            yield ENVIRONMENT
        case {"event": "state", "state": str(state)} if state in ENDED:
            yield from CHECKPOINTS
            if state == "completed":
                yield MODEL


def _is_inside(path: str) -> bool:
    """Return whether it is a relative path in the run folder, without odd characters."""
    pure = PurePosixPath(path)
    is_clean = path == description.clean_text(path)
    return is_clean and bool(pure.parts) and not pure.is_absolute() and ".." not in pure.parts


def _reason(error: Exception) -> str:
    if isinstance(error, Replaced):
        return str(error)
    if isinstance(error, OSError) and error.strerror:
        at = f": {error.filename}" if error.filename else ""
        return f"{error.strerror}{at}"
    return store.describe_error(error)


_ADVICE = {
    "it takes too long": "For large files on a slow store set MLFLOW_HTTP_REQUEST_TIMEOUT=600.",
    "No module named": "Install that package, which the artifact store needs.",
    "No space left": "Make space there.",
    "uota": "Make space there.",
}


def _pending_error(run: RunDir, uri: str, waiting: dict[str, str], root: str) -> FilesPending:
    reasons = " ".join(waiting.values())
    advice = [hint for word, hint in _ADVICE.items() if word in reasons]
    if not advice and root.startswith(("file:", "/")) and not store_uri.is_database(uri):
        advice = [
            "The server gives its clients a folder of its own machine: start it with "
            "--serve-artifacts, for new experiments, or make that folder writable here."
        ]
    return FilesPending(
        f"{len(waiting)} files of {run.id} wait, for the artifact store {hidden(root)} "
        f"did not take them: {_by_reason(waiting)}",
        hint=" ".join(
            [*advice, "Metrics and state have arrived; `hpcdl sync` sends the files afterwards."]
        ),
        exit_code=EXIT_FAILED,
    )


def _by_reason(waiting: dict[str, str]) -> str:
    """List pending files by the reason, in a line; three names of each."""
    reasons: dict[str, list[str]] = {}
    for name, reason in sorted(waiting.items(), key=lambda item: item[1] == ""):
        reasons.setdefault(reason or "not sent yet", []).append(name)
    parts = []
    for reason, names in reasons.items():
        parts.append(f"{first_few(names, _SHOWN)}: {reason}")
    return "; ".join(parts)
