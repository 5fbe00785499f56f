"""Which store a run goes to: the plan says it, but for a password, which has a file of its own."""

from __future__ import annotations

from hpc_dl.jobspec.credentials import hidden
from hpc_dl.run.layout import DamagedFile, RunDir, read_bytes, read_json, write_atomic


def keep(run: RunDir, uri: str) -> None:
    """Keep a URI's user and password where the owner alone may read.

    A URI that says `***` is what a spec made of the kept one, and changes nothing about it.
    """
    if uri != hidden(uri):
        write_atomic(run.tracking_uri, uri, mode=0o600)
        return
    try:
        known = _kept(run)
    except DamagedFile:
        known = ""
    if uri != hidden(known):
        run.tracking_uri.unlink(missing_ok=True)


def find(run: RunDir) -> str | None:
    """The URI in full; None where the run has no plan.

    Raises DamagedFile where the plan or the file with the password is damaged.
    """
    plan = read_json(run.plan)
    if plan is None:
        return None
    planned = plan.get("tracking_uri") if isinstance(plan, dict) else None
    if not isinstance(planned, str) or not planned:
        raise DamagedFile(run.plan, "is damaged: it names no store")
    kept = _kept(run)
    if "***@" in planned and hidden(kept) != planned:
        fault = "does not hold the URI of" if kept else "is missing or empty, with the password for"
        raise DamagedFile(run.tracking_uri, f"{fault} {planned}")
    return kept or planned


def _kept(run: RunDir) -> str:
    """The URI with its password, or "". Raises DamagedFile where it cannot be read."""
    try:
        return read_bytes(run.tracking_uri).decode().strip()
    except FileNotFoundError:
        return ""
    except UnicodeDecodeError:
        raise DamagedFile(run.tracking_uri, "is damaged: it is no text") from None
