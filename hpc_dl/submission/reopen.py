"""Make a run folder ready for a job: its state, and the secrets that the job reads."""

from __future__ import annotations

import os

from hpc_dl.planning import job_environment
from hpc_dl.planning.plan import Plan
from hpc_dl.run.journal import Journal, last_state
from hpc_dl.run.layout import RunDir, write_atomic


def reopen(run: RunDir) -> None:
    """Make a run that may have ended ready to be submitted (again)."""
    run.cancel.unlink(missing_ok=True)
    run.pause.unlink(missing_ok=True)
    run.submission.unlink(missing_ok=True)
    if last_state(run.journal)[0] != "planned":
        note_planned(run, "submitted again")


def note_planned(run: RunDir, reason: str = "") -> None:
    """Record in the journal that a run waits for its job."""
    journal = Journal(run.journal)
    journal.append("state", state="planned", reason=reason)
    journal.close()


def keep_secrets(run: RunDir, plan: Plan) -> None:
    """Write the plan's secrets where the owner alone may read, for the batch script to set them."""
    if plan.secrets:
        lines = job_environment.exports({name: os.environ[name] for name in plan.secrets})
        write_atomic(run.secrets, "\n".join([*lines, ""]), mode=0o600)
    else:
        run.secrets.unlink(missing_ok=True)
