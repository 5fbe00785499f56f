"""URI of the MLflow store: chosen from spec, site and run root, and checked.

SQLAlchemy reads what follows `?` as options and decodes `%20`; a path that holds either would
name another file than it says.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING

from hpc_dl.errors import UserError
from hpc_dl.jobspec.credentials import hidden

if TYPE_CHECKING:  # the tracking imports this module beside a training, and needs no job spec
    from hpc_dl.jobspec.job import JobSpec
    from hpc_dl.planning.site import Site

SQLITE = "sqlite:///"
_DECODED = re.compile(r"%[0-9A-Fa-f]{2}")
_ENCODED = {"/": "%2F", "?": "%3F", "#": "%23", "'": "%27", '"': "%22", " ": "%20", "@": "%40"}
_LOGIN = re.compile(r"[^/?#\s'\"@]*:(?!\d+(?:[/?#]|$))[^@]*@")
"""A user, and a password that is no port."""


def choose(spec: JobSpec, site: Site, run_root: Path) -> str:
    """Choose the store of a run: the spec's, else the site's, else a SQLite file with the runs.

    Raises SpecConflict or UserError, with the option's name, where MLflow cannot take it.
    """
    from hpc_dl.planning.compatibility import SpecConflict

    _check_encoding(run_root)
    if (uri := spec.tracking.uri) is not None:
        if problem := _problem(uri):
            raise SpecConflict("tracking.uri", *problem)
        return uri
    return of_site(site, run_root)


def of_site(site: Site, run_root: Path) -> str:
    """Return the store of runs whose spec names none. Raises UserError if MLflow cannot take it."""
    if (uri := site.tracking_uri) is not None:
        if problem := _problem(uri):
            raise UserError(
                f"the site's tracking_uri, or $MLFLOW_TRACKING_URI: {problem[0]}", hint=problem[1]
            )
        return uri
    if found := _unfit(str(run_root)):
        raise UserError(
            f"run_root {run_root} has {found} in it, which in the URI of a SQLite file means "
            "something else",
            hint="Choose another run_root or $HPCDL_RUN_ROOT, or a store elsewhere: tracking.uri.",
        )
    return beside(run_root)


def beside(run_root: Path) -> str:
    """Return the store of runs for which nobody names another: a SQLite file with the runs."""
    return f"{SQLITE}{run_root}/mlflow.db"


def check(uri: str) -> None:
    """Raise UserError if MLflow cannot take a URI."""
    if problem := _problem(uri):
        raise UserError(problem[0], hint=problem[1])


def _check_encoding(run_root: Path) -> None:
    try:
        str(run_root).encode()
    except UnicodeEncodeError:
        raise UserError(
            f"run_root {str(run_root)!r} is not UTF-8, which MLflow and JSON need",
            hint="Choose another run_root or $HPCDL_RUN_ROOT.",
        ) from None


def _problem(uri: str) -> tuple[str, str] | None:
    """Return the fault of a URI, without its password, and what to write instead; or None."""
    if uri.partition(":")[0] == "sqlite":
        return _problem_of_sqlite(uri)
    scheme, found, rest = uri.partition("://")
    login = _LOGIN.match(rest) if found else None
    if login is None:
        return None
    host_follows = rest.rfind("@")
    taken = "/?#'\" " if scheme.startswith("http") else "/?#'\" @"
    bad = next((char for char in rest[:host_follows] if char in taken or char.isspace()), None)
    if bad is None:
        return None
    return (
        f"the password in {scheme}://*** has {bad!r} in it, which ends it for whoever reads a URI",
        f"Write {_ENCODED.get(bad, '%0A')} instead.",
    )


def _problem_of_sqlite(uri: str) -> tuple[str, str] | None:
    path = uri.partition(SQLITE)[2].partition("?")[0]
    if not uri.startswith(SQLITE) or path in ("", ":memory:"):
        return (
            f"{hidden(uri)} names no file, and what is only in memory is lost",
            f"Write {SQLITE}FILE, or {SQLITE}/FOLDER/FILE with a path from the root.",
        )
    if path.startswith("~") or "$" in path:
        found = "~" if path.startswith("~") else "$"
        return (f"{uri} has {found} in it, which nobody replaces", "Write the path in full.")
    if found := _unfit(path):
        return (
            f"{uri} has {found} in it, which is decoded to another path",
            "Choose another file.",
        )
    return None


def _unfit(path: str) -> str:
    """Return what SQLAlchemy would not read as a part of the path; "" if nothing."""
    if "?" in path:
        return "?"
    found = _DECODED.search(path)
    return found[0] if found else ""
