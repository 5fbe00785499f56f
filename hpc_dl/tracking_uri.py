"""Which store a run goes to: the plan says it, but for a password, which has a file of its own."""

from __future__ import annotations

import json

from hpc_dl.credentials import hidden
from hpc_dl.errors import UserError
from hpc_dl.rundir import RunDir, write_atomic


def keep(run: RunDir, uri: str) -> None:
    """Keep a URI's user and password where the owner alone may read.

    A URI that says `***` is what a spec made of the kept one, and changes nothing about it.
    """
    if uri != hidden(uri):
        write_atomic(run.tracking_uri, uri, mode=0o600)
        return
    try:
        known = _kept(run)
    except UserError:
        known = ""
    if uri != hidden(known):
        run.tracking_uri.unlink(missing_ok=True)


def find(run: RunDir) -> str | None:
    """The URI in full; None where the run has no plan.

    Raises UserError, with the file's name, where the plan or the file with the password is damaged.
    """
    try:
        planned = json.loads(run.plan.read_bytes())["tracking_uri"]
    except FileNotFoundError:
        return None
    except (OSError, ValueError, TypeError, KeyError, RecursionError) as error:
        raise UserError(
            f"{run.plan} is damaged ({type(error).__name__}: {error})",
            hint="It says which store the run goes to; submit the job again.",
        ) from None
    kept = _kept(run)
    if "***@" in str(planned) and hidden(kept) != planned:
        what = "does not hold the URI of" if kept else "is missing or empty, with the password for"
        raise UserError(
            f"{run.tracking_uri} {what} {planned}",
            hint="Write the URI with its password there (for you alone to read: chmod 600), "
            "or submit the job again.",
        )
    return kept or str(planned)


def _kept(run: RunDir) -> str:
    """The URI with its password, or "". Raises UserError where it cannot be read."""
    try:
        return run.tracking_uri.read_text().strip()
    except FileNotFoundError:
        return ""
    except (OSError, UnicodeDecodeError) as error:
        why = error.strerror if isinstance(error, OSError) else "it is no text"
        raise UserError(
            f"{run.tracking_uri} cannot be read: {why}",
            hint="It holds the URI of the MLflow store with its password; write it there again.",
        ) from None
