"""Find a run by its name, id, job id, or as `latest`."""

from __future__ import annotations

import difflib
from pathlib import Path

from hpc_dl.errors import UserError
from hpc_dl.run.layout import RunDir, list_runs
from hpc_dl.run.submission import is_job_id
from hpc_dl.scheduler import recovery


def find_run(root: Path, word: str) -> RunDir:
    """Return the run with this id; else the newest of this name; else the one with this job id.

    `latest` is the newest of all. Raises UserError where there is none.
    """
    known = list_runs(root)
    if not known:
        raise UserError(f"there are no runs in {root}", hint="`hpcdl submit JOB.yaml` starts one.")
    if word == "latest":
        return known[-1]
    for run in reversed(known):
        if word in (run.id, run.name):
            return run
    for run in reversed(known) if is_job_id(word) else ():
        found = recovery.find(run).submission
        if found and found.job_id == word:
            return run
    names = list(dict.fromkeys(name for run in reversed(known) for name in (run.name, run.id)))
    near = difflib.get_close_matches(word, names, n=3, cutoff=0.5)
    guess = f"Did you mean {' or '.join(near)}? " if near else ""
    raise UserError(
        f"there is no run '{word}' in {root}", hint=f"{guess}`hpcdl status` lists the runs."
    )
