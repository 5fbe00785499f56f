"""URIs of MLflow stores: what they point at, and which one a run's events go to.

The plan holds a run's URI without its password; `tracking_uri`, readable by its owner only, holds
the whole.
"""

from __future__ import annotations

from pathlib import Path

from hpc_dl.jobspec.credentials import hidden
from hpc_dl.planning import tracking_store
from hpc_dl.planning.tracking_store import SQLITE
from hpc_dl.run import origin
from hpc_dl.run.layout import DamagedFile, RunDir, read_bytes, read_json, write_atomic

_ARTIFACTS = "mlartifacts"
_DATABASES = frozenset({"sqlite", "postgresql", "mysql", "mssql"})


def is_database(uri: str) -> bool:
    """Return whether MLflow opens a database itself, without a tracking server."""
    return uri.partition(":")[0].partition("+")[0] in _DATABASES


def sqlite_file(uri: str) -> Path:
    """Return the file of a SQLite store."""
    return Path(uri.removeprefix(SQLITE).partition("?")[0])


def absolute(uri: str, folder: Path) -> str:
    """Return a SQLite URI with its path made absolute, relative to `folder`; others unchanged."""
    if not uri.startswith(SQLITE):
        return uri
    return f"{SQLITE}{folder / uri.removeprefix(SQLITE)}"


def artifact_folder(uri: str, run_root: Path) -> Path | None:
    """Return the artifact folder: beside a SQLite file, beside the runs for other databases.

    None for a tracking server, which decides for itself.
    """
    if uri.startswith(SQLITE):
        return sqlite_file(uri).with_name(_ARTIFACTS)
    return run_root / _ARTIFACTS if is_database(uri) else None


def save(run: RunDir, uri: str) -> None:
    """Save the URI with its user and password where its owner alone may read it.

    A URI with `***` in it is a saved one whose password was masked, and leaves the file as it is.
    """
    if uri != hidden(uri):
        write_atomic(run.tracking_uri, uri, mode=0o600)
        return
    try:
        saved = _read_secret(run)
    except DamagedFile:
        saved = ""
    if uri != hidden(saved):
        run.tracking_uri.unlink(missing_ok=True)


def load(run: RunDir) -> str | None:
    """Return a run's URI with its password; None for a run without a plan.

    A run whose store is the file beside it uses the one that is beside it now: a copy never writes
    into the store of the original.

    Raises DamagedFile if the plan or the file with the password is damaged.
    """
    plan = read_json(run.plan)
    if plan is None:
        return None
    planned = plan.get("tracking_uri") if isinstance(plan, dict) else None
    if not isinstance(planned, str) or not planned:
        raise DamagedFile(run.plan, "is damaged: it names no store")
    former = origin.former_folder(run)
    if former is not None and planned == tracking_store.beside(former.parent):
        return tracking_store.beside(run.root)
    saved = _read_secret(run)
    if "***@" in planned and hidden(saved) != planned:
        fault = "does not hold the URI of"
        if not saved:
            fault = "is missing or empty, with the password for"
        raise DamagedFile(run.tracking_uri, f"{fault} {planned}")
    return saved or planned


def _read_secret(run: RunDir) -> str:
    try:
        return read_bytes(run.tracking_uri).decode().strip()
    except FileNotFoundError:
        return ""
    except UnicodeDecodeError:
        raise DamagedFile(run.tracking_uri, "is damaged: it is no text") from None
