"""Choose the run that a submission resumes, one of the same training, or a new one."""

from __future__ import annotations

import contextlib
import hashlib
import json
import math
import os
import re
import sys
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from hpc_dl.data.fingerprint import Fingerprint
from hpc_dl.errors import UserError
from hpc_dl.jobspec import renames
from hpc_dl.jobspec.flat import flatten
from hpc_dl.jobspec.job import JobSpec
from hpc_dl.run import layout, lease, records, waiting
from hpc_dl.run.layout import DamagedFile, RunDir
from hpc_dl.status import Status, read_status
from hpc_dl.submission import snapshot
from hpc_dl.submission.snapshot import Snapshot

Action = Literal["start", "resume", "is_active", "is_complete"]


@dataclass(frozen=True)
class RunChoice:
    """Action for a submission, and the earlier run that decided it."""

    action: Action
    run: RunDir | None = None
    status: Status | None = None
    examined: frozenset[RunDir] | None = field(default=None, compare=False)
    """The runs of this name that train something else; None if none was looked for."""
    changed: str = field(default="", compare=False)
    """Which run of the same training had other data, and how they differ."""


def choose(
    root: Path, spec: JobSpec, code: Snapshot, data: Fingerprint, exclude: Collection[RunDir] = ()
) -> RunChoice:
    """Let the newest run of the same name, training and data decide, except those in `exclude`.

    `code` is the snapshot of the user's own files as they are now, `data` the fingerprint of the
    data. Raises UserError where a run that stopped halfway had other data.
    """
    wanted, options = submitted_identity(spec, code), dict(flatten(code.renamed(spec).training()))
    found = [
        run for run in layout.own_runs(layout.list_runs(root, spec.name)) if run not in exclude
    ]
    examined, others = set(), []
    for run, known in _identities(reversed(found), options):
        examined.add(run)  # not those that other commands are creating now
        if known == wanted:
            earlier = _earlier_data(run)
            if earlier and not earlier.difference(data):
                status = read_status(run, lease.RELEASE_SECONDS)
                return RunChoice(action_for(status), run, status)
            others.append((run, earlier))
    changed = _changed_data(*others[0], data) if others else ""
    return RunChoice("start", examined=frozenset(examined), changed=changed)


def _earlier_data(run: RunDir) -> Fingerprint | None:
    """Return the fingerprint of the data that a run began with, if it can be read."""
    with contextlib.suppress(DamagedFile):
        return records.find(run.fingerprint, Fingerprint)
    return None


def _changed_data(run: RunDir, earlier: Fingerprint | None, data: Fingerprint) -> str:
    """Say how the data of a run differ. Raises UserError where the run stopped halfway."""
    difference = f"the data of {run.id} are not known"
    hint = f"`hpcdl resume {run.id}` resumes it, if you know that they are the same"
    if earlier:
        difference = f"{run.id} had other data ({earlier.difference(data)})"
        hint = "Restore the data to resume it"
    if saved_step(run) and action_for(read_status(run, lease.RELEASE_SECONDS)) == "resume":
        raise UserError(
            f"{difference}, and stopped at step {saved_step(run)}",
            hint=f"{hint}; hpcdl submit --new trains a new run.",
        )
    return difference


def saved_step(run: RunDir) -> int:
    """Return the step of the newest checkpoint; 0 without one."""
    names = (path.name for path in run.checkpoints.glob("step-*"))
    steps = (re.fullmatch(r"step-(\d+)", name) for name in names)
    return max((int(step[1]) for step in steps if step), default=0)


@contextlib.contextmanager
def submission_lock(root: Path, spec: JobSpec, code: Snapshot) -> Iterator[None]:
    """Make commands that start a run of the same training wait for each other."""
    path = root / f".submitting.{submitted_identity(spec, code)[:16]}"
    with contextlib.ExitStack() as stack:
        with contextlib.suppress(OSError):  # no such folder
            root.mkdir(parents=True, exist_ok=True)
            stack.enter_context(_lock(path))
        yield


@contextlib.contextmanager
def _lock(path: Path) -> Iterator[None]:
    """Hold the lock of a file that exists only while a process holds it."""
    while True:
        with path.open("a") as file:
            waiting.lock(file.fileno(), math.inf)
            if path.exists() and os.path.samestat(os.fstat(file.fileno()), path.stat()):
                try:
                    yield
                finally:
                    path.unlink(missing_ok=True)
                return


def action_for(status: Status) -> Action:
    """Return what a submission does about a run with this status."""
    if status.state == "completed":
        return "is_complete"
    return "is_active" if status.active else "resume"


def submitted_identity(spec: JobSpec, code: Snapshot) -> str:
    """Return the identity of a training that has no run folder yet."""
    return _identity(code.renamed(spec), snapshot.digests(code.folder) if code.folder else {})


def identity(spec: JobSpec, code: Path) -> str:
    """Return a hash of all that a training depends on: model, data, options, user's code.

    Resources, tracking, reporting and loading are not part of it: they may change at a resume.
    """
    return _identity(spec, snapshot.digests(code))


def _identity(spec: JobSpec, files: dict[str, str]) -> str:
    training = json.dumps([spec.training(), files], sort_keys=True)
    return hashlib.sha256(training.encode()).hexdigest()


def _has_other_options(run: RunDir, wanted: Mapping[str, Any]) -> bool:
    """Return whether an option of a run has another value, such as the seed: that tells most of a
    thousand runs apart in a tenth of the time that their identities take. Raises DamagedFile."""
    known = dict(flatten(renames.upgrade(records.spec_values(run))))
    return any(known[name] != value for name, value in wanted.items() if name in known)


def _identities(runs: Iterable[RunDir], wanted: Mapping[str, Any]) -> Iterator[tuple[RunDir, str]]:
    """Yield the runs whose spec can be read, with their identity, which is "" where an option shows
    that it is none of those wanted; warn of the others."""
    for run in runs:
        try:
            is_other = _has_other_options(run, wanted)
            known = "" if is_other else identity(records.load_spec(run), run.code)
        except (UserError, OSError) as error:
            if not layout.is_run(run):
                continue
            fault = str(error).partition("\n")[0]
            sys.stderr.write(f"warning: {run.id} is ignored: {fault}\n")
        else:
            yield run, known
