"""The MLflow store: opened so that a SQLite file has one process at a time, and nothing hangs."""

from __future__ import annotations

import contextlib
import logging
import os
import re
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from hpc_dl.errors import EXIT_FAILED, UserError
from hpc_dl.tracking import lock

if TYPE_CHECKING:
    from mlflow import MlflowClient

SQLITE = "sqlite:///"
_QUIET = {
    "MLFLOW_DISABLE_TELEMETRY": "true",
    "MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR": "false",
    "MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT": "true",
    "GIT_PYTHON_REFRESH": "quiet",
}
_PATIENCE = {"MLFLOW_HTTP_REQUEST_TIMEOUT": "20", "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "1"}
"""A store that is away is asked again later, by whoever brings the rest."""


class StoreAway(UserError):
    """The store does not answer, or refuses."""


@contextlib.contextmanager
def opened(uri: str, patience: float = 0.0) -> Iterator[MlflowClient]:
    """A client of the store, which exists and is up to date.

    A SQLite store is under a lock for as long as the context lasts: processes that meet on a fresh
    file would otherwise spoil its creation. Raises lock.Held if another process has it for longer
    than `patience` seconds, and StoreAway for whatever the store itself has to say.
    """
    quieten()
    from mlflow import MlflowClient
    from mlflow.exceptions import MlflowException
    from sqlalchemy.exc import SQLAlchemyError

    with locked(uri, patience):
        try:
            yield MlflowClient(tracking_uri=uri)
        except (MlflowException, SQLAlchemyError, OSError) as error:
            first = (str(error).strip() or type(error).__name__).splitlines()[0]
            raise StoreAway(
                f"the tracking store {without_password(uri)} did not take it: "
                + first.replace(uri, without_password(uri)),
                hint="Nothing is lost: `hpcdl sync` brings the rest.",
                exit_code=EXIT_FAILED,
            ) from error


def locked(uri: str, patience: float) -> contextlib.AbstractContextManager[None]:
    """Hold the lock of a SQLite store; a server needs none."""
    if not uri.startswith(SQLITE):
        return contextlib.nullcontext()
    database = Path(uri.removeprefix(SQLITE))
    database.parent.mkdir(parents=True, exist_ok=True)
    own = database.with_name(f"{database.name}.lock")
    return lock.held(own, f"another process is writing to {database}", patience)


def absolute(uri: str, folder: Path) -> str:
    """A SQLite URI as it is meant in `folder`; MLflow's own default has a relative path."""
    if not uri.startswith(SQLITE):
        return uri
    return f"{SQLITE}{folder / uri.removeprefix(SQLITE)}"


def artifact_root(uri: str) -> str | None:
    """Where the artifacts of a SQLite store go: beside it. A server decides for itself."""
    if not uri.startswith(SQLITE):
        return None
    return Path(uri.removeprefix(SQLITE)).with_name("mlartifacts").as_uri()


def quieten() -> None:
    """Keep MLflow's banners and its database's migrations off the terminal."""
    for name, value in (_QUIET | _PATIENCE).items():
        os.environ.setdefault(name, value)
    for name in ("alembic", "mlflow", "mlflow.store.db.utils"):
        logging.getLogger(name).setLevel(logging.ERROR)


def without_password(uri: str) -> str:
    """A URI as it may be shown."""
    return re.sub(r"^(\w[\w+.-]*://)[^/@]*@", r"\1***@", uri)
