"""Which run a submission is for: a stopped one of the same training goes on, else a new one."""

from __future__ import annotations

import contextlib
import hashlib
import json
import math
import os
import re
import sys
from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from hpc_dl.data.fingerprint import Fingerprint
from hpc_dl.errors import UserError
from hpc_dl.jobspec.job import JobSpec
from hpc_dl.jobspec.load import load_resolved
from hpc_dl.run import layout, lease, records, waiting
from hpc_dl.run.layout import DamagedFile, RunDir
from hpc_dl.status import Status, read_status
from hpc_dl.submission import snapshot
from hpc_dl.submission.snapshot import Snapshot

Action = Literal["begin", "go_on", "is_active", "is_complete"]


@dataclass(frozen=True)
class Choice:
    """What to do about a submission, and the earlier run that decided it."""

    action: Action
    run: RunDir | None = None
    status: Status | None = None
    seen: frozenset[RunDir] | None = field(default=None, compare=False)
    """The runs that train something else; None where none was looked at."""
    changed: str = field(default="", compare=False)
    """Which run of the same training had other data, and in what they differ."""


def choose(
    root: Path, spec: JobSpec, code: Snapshot, data: Fingerprint, but: Collection[RunDir] = ()
) -> Choice:
    """The newest run of the same name and the same training, of the same data, decides, `but`
    these.

    `code` is the snapshot of the user's own files as they are now, `data` the fingerprint of the
    data. Raises UserError where a run stopped halfway that had other data.
    """
    wanted = submitted_identity(spec, code)
    found = [run for run in layout.own(layout.runs(root, spec.name)) if run not in but]
    seen, others = set(), []
    for run, its in _identities(reversed(found)):
        seen.add(run)  # not those that are being made just now
        if its == wanted:
            then = _data_of(run)
            if then and not then.difference(data):
                status = read_status(run, lease.GRACE)
                return Choice(action_for(status), run, status)
            others.append((run, then))
    changed = _changed(*others[0], data) if others else ""
    return Choice("begin", seen=frozenset(seen), changed=changed)


def _data_of(run: RunDir) -> Fingerprint | None:
    """What is known of the data that a run began with."""
    with contextlib.suppress(DamagedFile):
        return records.find(run.fingerprint, Fingerprint)
    return None


def _changed(run: RunDir, then: Fingerprint | None, now: Fingerprint) -> str:
    """In what the data differ from those of a run. Raises UserError where that stopped halfway."""
    said = f"the data of {run.id} are not known"
    go_on = f"`hpcdl resume {run.id}` goes on, if you know that they are the same"
    if then:
        said = f"{run.id} had other data ({then.difference(now)})"
        go_on = "Restore the data to go on with it"
    if saved_step(run) and action_for(read_status(run, lease.GRACE)) == "go_on":
        raise UserError(
            f"{said}, and stopped at step {saved_step(run)}",
            hint=f"{go_on}; hpcdl submit --new trains a new run.",
        )
    return said


def saved_step(run: RunDir) -> int:
    """The step of the newest checkpoint; 0 without one."""
    names = (path.name for path in run.checkpoints.glob("step-*"))
    steps = (re.fullmatch(r"step-(\d+)", name) for name in names)
    return max((int(step[1]) for step in steps if step), default=0)


@contextlib.contextmanager
def in_turn(root: Path, spec: JobSpec, code: Snapshot) -> Iterator[None]:
    """Wait for other commands that begin a run of the same training, and have them wait."""
    path = root / f".submitting.{submitted_identity(spec, code)[:16]}"
    with contextlib.ExitStack() as stack:
        with contextlib.suppress(OSError):  # no such folder, or a file system without locks
            root.mkdir(parents=True, exist_ok=True)
            stack.enter_context(_lock(path))
        yield


@contextlib.contextmanager
def _lock(path: Path) -> Iterator[None]:
    """Hold the lock of a file that is there only as long as somebody holds it."""
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
    """What a submission means for a run that is like this."""
    if status.state == "completed":
        return "is_complete"
    return "is_active" if status.active else "go_on"


def submitted_identity(spec: JobSpec, code: Snapshot) -> str:
    """The identity of a training that is not in a run folder yet."""
    return _identity(code.renamed(spec), snapshot.digests(code.folder) if code.folder else {})


def identity(spec: JobSpec, code: Path) -> str:
    """A hash of what a training depends on: model, data, training, and the user's code in `code`.

    Not of the resources, the tracking, and the manner of reporting and loading: those may change
    when it goes on.
    """
    return _identity(spec, snapshot.digests(code))


def _identity(spec: JobSpec, files: dict[str, str]) -> str:
    said = json.dumps([spec.training(), files], sort_keys=True)
    return hashlib.sha256(said.encode()).hexdigest()


def _identities(runs: Iterable[RunDir]) -> Iterator[tuple[RunDir, str]]:
    """Runs whose spec can still be read, and what they train; the others are named."""
    for run in runs:
        try:
            with layout.open_file(run.spec):  # a pipe in its place would keep one waiting
                its = identity(load_resolved(run.spec), run.code)
        except (UserError, OSError) as error:
            if not layout.is_run(run):
                continue
            what = str(error).partition("\n")[0]
            sys.stderr.write(f"warning: {run.id} is not looked at: {what}\n")
        else:
            yield run, its
