"""Find runs by name, id, job id, as `latest`, or by a pattern."""

from __future__ import annotations

import difflib
from collections.abc import Sequence
from fnmatch import fnmatchcase
from pathlib import Path

from hpc_dl.errors import UserError
from hpc_dl.run.layout import RunDir, list_runs
from hpc_dl.run.submission import is_job_id
from hpc_dl.scheduler import recovery


def find_run(root: Path, word: str) -> RunDir:
    """Return the run with this id; else the newest of this name; else the one with this job id.

    `latest` is the newest of all. Raises UserError where there is none, and for a pattern.
    """
    if is_pattern(word):
        raise UserError(f"one run is wanted here, and '{word}' is a pattern", hint=_LISTED)
    return _find(root, _known(root), word)


def find_runs(root: Path, words: Sequence[str]) -> list[RunDir]:
    """Return the runs that words name, the oldest first: each as `find_run` has it, or a pattern
    such as `sw-*`, of all runs with such an id or name.

    Raises UserError for a word without a run.
    """
    known, chosen = _known(root), set[RunDir]()
    for word in words:
        chosen.update(runs_of(known, word))
    return [run for run in known if run in chosen]


def runs_of(known: Sequence[RunDir], word: str) -> list[RunDir]:
    """Return the runs, of those `known`, that a word names. Raises UserError for none."""
    root = known[-1].root
    if not is_pattern(word):
        return [_find(root, known, word)]
    if not (found := _matching(known, word)):
        raise UserError(f"no run in {root} has a name like '{word}'", hint=_LISTED)
    return found


_LISTED = "`hpcdl status --all` lists the runs."


def is_pattern(word: str) -> bool:
    """Return whether a word is a pattern: no name of a run has such characters."""
    return any(char in word for char in "*?[")


def _matching(known: Sequence[RunDir], pattern: str) -> list[RunDir]:
    return [run for run in known if any(fnmatchcase(it, pattern) for it in (run.id, run.name))]


def _known(root: Path) -> list[RunDir]:
    known = list_runs(root)
    if not known:
        raise UserError(f"there are no runs in {root}", hint="`hpcdl submit JOB.yaml` starts one.")
    return known


def _find(root: Path, known: Sequence[RunDir], word: str) -> RunDir:
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
