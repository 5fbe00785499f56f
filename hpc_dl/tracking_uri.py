"""Which store a run goes to: the plan says it, but for a password, which has a file of its own."""

from __future__ import annotations

from hpc_dl.credentials import hidden
from hpc_dl.rundir import RunDir, read_json, write_atomic


def keep(run: RunDir, uri: str) -> None:
    """Keep a URI's user and password where the owner alone may read.

    A URI that says `***` is what a spec made of the kept one, and changes nothing about it.
    """
    if uri != hidden(uri):
        write_atomic(run.tracking_uri, uri, mode=0o600)
    elif uri != hidden(_kept(run)):
        run.tracking_uri.unlink(missing_ok=True)


def find(run: RunDir) -> str | None:
    """The URI in full; None where the run has no plan."""
    plan = read_json(run.plan)
    return None if plan is None else _kept(run) or str(plan["tracking_uri"])


def _kept(run: RunDir) -> str:
    try:
        return run.tracking_uri.read_text()
    except FileNotFoundError:
        return ""
