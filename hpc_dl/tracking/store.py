"""The MLflow store: opened so that a SQLite file has one process at a time, and nothing hangs."""

from __future__ import annotations

import contextlib
import importlib
import logging
import os
import re
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from hpc_dl.errors import EXIT_FAILED, UserError
from hpc_dl.jobspec.credentials import hidden
from hpc_dl.planning.tracking_store import SQLITE
from hpc_dl.tracking import lock

if TYPE_CHECKING:
    from mlflow import MlflowClient

_ARTIFACTS = "mlartifacts"
_QUIET = {
    "MLFLOW_DISABLE_TELEMETRY": "true",
    "MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR": "false",
    "MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT": "true",
    "GIT_PYTHON_REFRESH": "quiet",
}
_PATIENCE = {"MLFLOW_HTTP_REQUEST_TIMEOUT": "20", "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "0"}
"""A store that is away is asked again later, by whoever brings the rest, and looks first what the
store has: a request that was repeated blindly could make a second run."""
_DATABASES = frozenset({"sqlite", "postgresql", "mysql", "mssql"})
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


class StoreAway(UserError):
    """The store does not answer, or refuses."""


@contextlib.contextmanager
def opened(uri: str, patience: float = 0.0) -> Iterator[MlflowClient]:
    """A client of the store, which exists and is up to date.

    A SQLite store is under a lock for as long as the context lasts: processes that meet on a fresh
    file would otherwise spoil its creation. Raises lock.Held if another process has it for longer
    than `patience` seconds, and StoreAway for whatever the store itself has to say.
    """
    import_client(uri)  # which takes seconds, and not those of others
    with locked(uri, patience), _naming_the_store(uri):
        _create(uri)
        yield _client(uri)


@contextlib.contextmanager
def reached(uri: str) -> Iterator[MlflowClient]:
    """A client of a store that was opened before, for what needs no lock. Raises StoreAway."""
    import_client(uri)
    with _naming_the_store(uri):
        if uri.startswith(SQLITE) and not database(uri).exists():
            raise FileNotFoundError("the file is gone")
        yield _client(uri)


def _client(uri: str) -> MlflowClient:
    from mlflow import MlflowClient

    return MlflowClient(tracking_uri=uri)


def _create(uri: str) -> None:
    """Create a fresh SQLite store.

    MLflow's client would give the default experiment the folder that happens to be the current
    one, and paste its path into a statement, quotes and colons and all.
    """
    if uri.startswith(SQLITE) and not database(uri).exists():
        from mlflow.store.tracking.sqlalchemy_store import SqlAlchemyStore

        SqlAlchemyStore(uri, database(uri).with_name(_ARTIFACTS).as_uri())


@contextlib.contextmanager
def _naming_the_store(uri: str) -> Iterator[None]:
    from mlflow.exceptions import MlflowException
    from sqlalchemy.exc import SQLAlchemyError

    try:
        yield
    except (MlflowException, SQLAlchemyError, OSError, ImportError) as error:
        raise StoreAway(
            f"the tracking store {hidden(uri)} did not take it: {what(error)}",
            hint="Nothing is lost: `hpcdl sync` brings the rest.",
            exit_code=EXIT_FAILED,
        ) from error


def import_client(uri: str) -> None:
    """Import what a client imports at its first use."""
    quieten()
    with _IMPORTING:
        importlib.import_module("mlflow")
        if is_database(uri):
            importlib.import_module("mlflow.store.tracking.sqlalchemy_store")


def http_code(error: Exception) -> str:
    """The HTTP status of an answer that was not MLflow's own; "" if there was none."""
    found = _CODE.search(str(error))
    return next(filter(None, found.groups())) if found else ""


def what(error: Exception) -> str:
    """What is wrong, in a line without a password."""
    text = str(error).strip() or type(error).__name__
    if code := http_code(error):
        return f"{_REFUSALS.get(code, 'it answers with an error')} (HTTP {code})"
    silent = next((what for word, what in _SILENCE.items() if word in text), None)
    return silent or hidden(text.splitlines()[0])


def let_others(uri: str) -> None:
    """Leave the lock of a SQLite store to whoever waits for it."""
    if uri.startswith(SQLITE):
        time.sleep(2 * lock.LOOK_AGAIN)


def locked(uri: str, patience: float) -> contextlib.AbstractContextManager[None]:
    """Hold the lock of a SQLite store; a server needs none."""
    if not uri.startswith(SQLITE):
        return contextlib.nullcontext()
    file = database(uri)
    file.parent.mkdir(parents=True, exist_ok=True)
    own = file.with_name(f"{file.name}.lock")
    return lock.held(own, f"another process is writing to {file}", patience)


def database(uri: str) -> Path:
    """The file of a SQLite store."""
    return Path(uri.removeprefix(SQLITE).partition("?")[0])


def absolute(uri: str, folder: Path) -> str:
    """A SQLite URI as it is meant in `folder`; MLflow's own default has a relative path."""
    if not uri.startswith(SQLITE):
        return uri
    return f"{SQLITE}{folder / uri.removeprefix(SQLITE)}"


def is_database(uri: str) -> bool:
    """Whether MLflow opens the database itself, without a tracking server before it."""
    return uri.partition(":")[0].partition("+")[0] in _DATABASES


def artifact_folder(uri: str, run_root: Path) -> Path | None:
    """Where artifacts go: beside a SQLite file, or with the runs of another database.

    A tracking server decides for itself.
    """
    if uri.startswith(SQLITE):
        return database(uri).with_name(_ARTIFACTS)
    return run_root / _ARTIFACTS if is_database(uri) else None


def quieten() -> None:
    """Keep MLflow's banners and its database's migrations off the terminal."""
    for name, value in (_QUIET | _PATIENCE).items():
        os.environ.setdefault(name, value)
    for name in ("alembic", "mlflow", "mlflow.store.db.utils"):
        logging.getLogger(name).setLevel(logging.ERROR)
