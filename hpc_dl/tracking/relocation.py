"""Repair of a SQLite store that was moved or copied: MLflow has noted absolute paths in it.

MLflow finds artifacts and models by their absolute addresses alone, and has no command to change
them (mlflow/mlflow#3144). They are rewritten when hpcdl opens a store at another place than before.
"""

from __future__ import annotations

import contextlib
import sqlite3
import sys
from pathlib import Path
from urllib.parse import unquote, urlsplit

from hpc_dl.run import origin
from hpc_dl.tracking import description

_ADDRESSES = (
    ("experiments", "artifact_location"),
    ("runs", "artifact_uri"),
    ("logged_models", "artifact_location"),
    ("model_versions", "source"),
    ("model_versions", "storage_location"),
)
"""Tables and their columns with addresses of artifacts; stores of before MLflow 3 lack some."""
_TAGS = ("tags", "model_version_tags")
_DEFAULT = "SELECT artifact_location FROM experiments WHERE experiment_id = 0"
"""The default experiment, made with the store, tells where that was."""
_SECONDS = 60.0
"""To wait for another process that is writing to the store."""


def repair(file: Path, artifacts: Path) -> None:
    """Rewrite the paths in a SQLite store whose artifacts are in `artifacts` now.

    A store that is where it was is left as it is. Raises PermissionError where it may not be
    written.
    """
    try:
        opened = sqlite3.connect(_as_uri(file), timeout=_SECONDS, uri=True)
    except sqlite3.Error:  # MLflow describes what is wrong with it
        return
    with contextlib.closing(opened) as store:
        if _former(store, file, artifacts) is None:
            return
        try:
            with store:
                store.execute("BEGIN IMMEDIATE")
                former = _former(store, file, artifacts)  # another process may have repaired it
                if former is not None:
                    _rewrite(store, former, artifacts)
        except sqlite3.Error as error:
            raise PermissionError(
                f"it was moved, and the paths in it cannot be rewritten: {error}; "
                "`hpcdl sync` of its owner does that"
            ) from None
    if former is not None:
        sys.stderr.write(f"{file} was in {former}: its paths now lead to {file.parent}\n")


def _as_uri(file: Path) -> str:
    return f"{file.absolute().as_uri()}?mode=rw"  # which never makes a file


def _former(store: sqlite3.Connection, file: Path, artifacts: Path) -> Path | None:
    """Return the folder where the store was, if that is not its present one, or unknown."""
    try:
        found = store.execute(_DEFAULT).fetchone()
    except sqlite3.Error:  # as above
        return None
    ending = f"/{artifacts.name}/0"
    if found is None or not str(found[0]).startswith("file:") or not found[0].endswith(ending):
        return None
    former = Path(unquote(urlsplit(found[0].removesuffix(ending)).path) or "/")
    is_here = origin.is_same(former, file.parent) or origin.is_same(former, file.resolve().parent)
    return None if is_here else former


def _rewrite(store: sqlite3.Connection, former: Path, artifacts: Path) -> None:
    old, new = (former / artifacts.name).as_uri(), artifacts.as_uri()
    for table, column in _ADDRESSES:
        _replace(store, table, column, old, new)
    runs = f"key = '{description.RUN_TAG}' AND "
    for table in _TAGS:
        _replace(store, table, "value", str(former), str(artifacts.parent), runs)


def _replace(
    store: sqlite3.Connection, table: str, column: str, old: str, new: str, where: str = ""
) -> None:
    """Replace the folder `old`, at the beginning of a column's values, by `new`."""
    columns = [row[1] for row in store.execute(f"PRAGMA table_info({table})")]
    if column in columns:
        store.execute(
            f"UPDATE {table} SET {column} = ? || substr({column}, ?) "
            f"WHERE {where}({column} = ? OR substr({column}, 1, ?) = ?)",
            (new, len(old) + 1, old, len(old) + 1, f"{old}/"),
        )
