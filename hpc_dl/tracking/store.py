"""The MLflow store, opened so that a SQLite file has one writer at a time and nothing hangs."""

from __future__ import annotations

import contextlib
import glob
import importlib
import logging
import os
import re
import threading
import time
from collections.abc import Iterator
from typing import TYPE_CHECKING

from hpc_dl.errors import EXIT_FAILED, UserError
from hpc_dl.jobspec.credentials import hidden
from hpc_dl.planning.tracking_store import SQLITE
from hpc_dl.tracking import lock, relocation, store_uri

if TYPE_CHECKING:
    from mlflow import MlflowClient

_QUIET = {
    "MLFLOW_DISABLE_TELEMETRY": "true",
    "MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR": "false",
    "MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT": "true",
    "GIT_PYTHON_REFRESH": "quiet",
}
_NO_RETRIES = {"MLFLOW_HTTP_REQUEST_TIMEOUT": "20", "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "0"}
"""The next sync tries again, and looks first what the store has: a blind retry of a request could
make a second run."""
_CODE = re.compile(
    r"error code (\d{3})|too many (\d{3}) error responses|^(\d{3}) (?:Client|Server) Error"
)
_REFUSALS = {
    "401": "it refuses the login; are the user and the password right?",
    "403": "it refuses this user",
    "413": "it is more than it takes at once",
    "429": "it is asked too often at present",
}
_SILENCE = {
    "timed out": "it takes too long to answer",
    "NewConnectionError": "it does not answer",
    "NameResolutionError": "there is no such host",
    "Connection aborted": "it broke off",
}
_IMPORTING = threading.Lock()
"""Two threads that import MLflow at once meet its half-imported modules."""


class StoreUnavailable(UserError):
    """The store does not answer, or refuses."""


@contextlib.contextmanager
def open_store(uri: str, lock_timeout: float = 0.0) -> Iterator[MlflowClient]:
    """Connect to the store, creating a SQLite file first where there is none.

    A SQLite store is locked as long as the context lasts: processes that meet on a fresh file would
    spoil its schema. Raises LockTimeout if another process holds the lock for `lock_timeout`
    seconds, and StoreUnavailable for errors of the store.
    """
    import_client(uri)  # takes seconds, therefore before the lock
    with _lock_sqlite(uri, lock_timeout), _store_errors(uri):
        _create_sqlite(uri)
        _repair(uri)
        yield _client(uri)


@contextlib.contextmanager
def connect(uri: str) -> Iterator[MlflowClient]:
    """Connect to a store that exists, without its lock. Raises StoreUnavailable."""
    import_client(uri)
    with _store_errors(uri):
        _refuse_absent(uri)
        _repair(uri)
        yield _client(uri)


@contextlib.contextmanager
def reading(uri: str) -> Iterator[MlflowClient]:
    """Connect to a store that exists, to read what it has. Raises StoreUnavailable."""
    import_client(uri)
    with _store_errors(uri, "cannot be read", "MLFLOW_TRACKING_URI names another store."):
        _refuse_absent(uri)
        _repair(uri)
        yield _client(uri)


def let_others_lock(uri: str) -> None:
    """Give processes that wait for the lock of a SQLite store time to get it."""
    if uri.startswith(SQLITE):
        time.sleep(2 * lock.POLL_SECONDS)


def import_client(uri: str) -> None:
    """Import what a client would import at its first use."""
    _silence_mlflow()
    with _IMPORTING:
        importlib.import_module("mlflow")
        if store_uri.is_database(uri):
            importlib.import_module("mlflow.store.tracking.sqlalchemy_store")


def http_code(error: Exception) -> str:
    """Return the HTTP status of a proxy's or server's answer; "" for MLflow's own errors."""
    found = _CODE.search(str(error))
    return next(filter(None, found.groups())) if found else ""


def describe_error(error: Exception) -> str:
    """Describe an error of the store in one line without a password."""
    text = str(error).strip() or type(error).__name__
    if code := http_code(error):
        return f"{_REFUSALS.get(code, 'it answers with an error')} (HTTP {code})"
    silent = next((message for word, message in _SILENCE.items() if word in text), None)
    return silent or hidden(text.splitlines()[0])


@contextlib.contextmanager
def _store_errors(
    uri: str,
    failure: str = "did not take it",
    hint: str = "Nothing is lost: `hpcdl sync` sends the rest.",
) -> Iterator[None]:
    """Turn errors of the store into StoreUnavailable, which says what failed and what to do."""
    from mlflow.exceptions import MlflowException
    from sqlalchemy.exc import SQLAlchemyError

    try:
        yield
    except (MlflowException, SQLAlchemyError, OSError, ImportError) as error:
        raise StoreUnavailable(
            f"the tracking store {hidden(uri)} {failure}: {describe_error(error)}",
            hint=hint,
            exit_code=EXIT_FAILED,
        ) from error


def _refuse_absent(uri: str) -> None:
    if uri.startswith(SQLITE) and not store_uri.sqlite_file(uri).exists():
        raise FileNotFoundError("the file is gone")


def _lock_sqlite(uri: str, timeout: float) -> contextlib.AbstractContextManager[None]:
    if not uri.startswith(SQLITE):
        return contextlib.nullcontext()
    file = store_uri.sqlite_file(uri)
    file.parent.mkdir(parents=True, exist_ok=True)
    lock_file = file.with_name(f"{file.name}.lock")
    return lock.acquire(lock_file, f"another process is writing to {file}", timeout)


def _create_sqlite(uri: str) -> None:
    """Create a fresh SQLite store: under another name first, since one whose creation was killed,
    MLflow would refuse for ever as out of date.

    MLflow's client would put the default experiment into the current folder, and paste its path
    into an SQL statement without quoting.
    """
    if uri.startswith(SQLITE) and not (file := store_uri.sqlite_file(uri)).exists():
        from mlflow.store.tracking.sqlalchemy_store import SqlAlchemyStore

        artifacts = store_uri.artifact_folder(uri, file.parent)
        assert artifacts is not None  # as of every database
        made = file.with_name(f"{file.name}.new")
        for leftover in file.parent.glob(f"{glob.escape(made.name)}*"):
            leftover.unlink()
        SqlAlchemyStore(f"{SQLITE}{made}", artifacts.as_uri()).engine.dispose()
        made.rename(file)


def _repair(uri: str) -> None:
    """Have the paths in a SQLite store lead to where it is now."""
    if uri.startswith(SQLITE):
        file = store_uri.sqlite_file(uri).absolute()
        artifacts = store_uri.artifact_folder(f"{SQLITE}{file}", file.parent)
        assert artifacts is not None  # as of every database
        relocation.repair(file, artifacts)


def _client(uri: str) -> MlflowClient:
    from mlflow import MlflowClient

    return MlflowClient(tracking_uri=uri)


def _silence_mlflow() -> None:
    """Keep MLflow's banners and database migrations off the terminal."""
    for name, value in (_QUIET | _NO_RETRIES).items():
        os.environ.setdefault(name, value)
    for name in ("alembic", "mlflow", "mlflow.store.db.utils"):
        logging.getLogger(name).setLevel(logging.ERROR)
