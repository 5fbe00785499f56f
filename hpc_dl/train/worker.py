"""What every rank runs: joins the others, trains, and journals how it ended."""

from __future__ import annotations

import traceback
from pathlib import Path

from hpc_dl import journal as log
from hpc_dl.errors import UserError
from hpc_dl.job import Place
from hpc_dl.journal import Journal
from hpc_dl.plan import Plan
from hpc_dl.rundir import RunDir, read_json
from hpc_dl.spec.load import load as load_spec
from hpc_dl.train.signals import Signals
from hpc_dl.train.training import Training
from hpc_dl.train.world import join


def run(run: RunDir, place: Place) -> str:
    """Train a run to its end, from its newest checkpoint on.

    Returns the outcome: `completed`; `requeue` (the time limit is near: go on in another job);
    `cancelled` or `stopped`. Every transition and failure is journalled before it is returned or
    raised.
    """
    if log.last_state(run.journal)[0] == "completed":
        return "completed"
    signals = Signals()
    signals.install()
    journal = Journal(run.journal) if place.rank == 0 else None
    try:
        spec, plan = load_spec(run.spec), Plan.from_json(read_json(run.plan))
        with join(run, plan, place) as world:
            return Training(run, spec, plan, place, world, journal, signals).train()
    except BaseException as error:
        if journal is not None:
            journal.append("state", state="failed", reason=describe(error))
        raise
    finally:
        if journal is not None:
            journal.close()


def describe(error: BaseException) -> str:
    """An error for people: what, and for one that is not the user's where."""
    if isinstance(error, UserError):
        return str(error)
    frames = traceback.extract_tb(error.__traceback__)
    place = f" ({Path(frames[-1].filename).name}:{frames[-1].lineno})" if frames else ""
    return f"{type(error).__name__}: {error}{place}"
