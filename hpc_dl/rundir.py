"""Every path name of a run, in one place; whole-or-absent writes.

The run folder is the truth about a run, and the only thing that the login node and the
compute nodes share.
"""

from __future__ import annotations

import json
import os
import re
import stat
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any


@dataclass(frozen=True)
class RunDir:
    """The folder of one run; its name is the run's id, `NAME-NUMBER`."""

    path: Path

    @property
    def id(self) -> str:
        return self.path.name

    @property
    def name(self) -> str:
        """The spec's name: the id without its number."""
        return self.id.rpartition("-")[0]

    @property
    def root(self) -> Path:
        """The folder of all runs, where the default MLflow store lies too."""
        return self.path.parent

    @property
    def spec(self) -> Path:
        """The resolved spec."""
        return self.path / "spec.yaml"

    @property
    def plan(self) -> Path:
        return self.path / "plan.json"

    @property
    def provenance(self) -> Path:
        """What code was submitted: git commit, packages, who, where."""
        return self.path / "provenance.json"

    @property
    def diff(self) -> Path:
        """What differed from the git commit at submission."""
        return self.path / "code.diff"

    @property
    def script(self) -> Path:
        """The sbatch script as it was submitted."""
        return self.path / "job.sh"

    @property
    def submission(self) -> Path:
        """The newest submission: backend and job id, or process and host."""
        return self.path / "submission.json"

    @property
    def journal(self) -> Path:
        return self.path / "journal.jsonl"

    @property
    def code(self) -> Path:
        """The user's own model and data files as they were at submission."""
        return self.path / "code"

    @property
    def checkpoints(self) -> Path:
        return self.path / "checkpoints"

    @property
    def learning_rate(self) -> Path:
        """The learning rate that was found, where the spec leaves it to be found."""
        return self.path / "learning_rate.json"

    def nonfinite(self, step: int) -> Path:
        """What is kept of a step whose loss was not finite."""
        return self.path / "nonfinite" / f"step-{step:08d}"

    @property
    def artifacts(self) -> Path:
        """Pictures and other things to look at."""
        return self.path / "artifacts"

    @property
    def export(self) -> Path:
        """The trained network as the predictor loads it."""
        return self.path / "export"

    @property
    def logs(self) -> Path:
        """What the ranks and the launcher printed."""
        return self.path / "logs"

    @property
    def tracking(self) -> Path:
        """How far the journal has been brought to the store, and under which run id."""
        return self.path / "tracking.json"

    @property
    def tracking_uri(self) -> Path:
        """The store's URI, where it holds a password: the only file that says it."""
        return self.path / "tracking-uri"

    @property
    def secrets(self) -> Path:
        """Variables of the submission that hold passwords, as lines of shell; the owner's alone."""
        return self.path / "secrets.sh"

    @property
    def cancel(self) -> Path:
        """Exists once the user has asked for the run to be cancelled."""
        return self.path / "cancel-requested"

    def rendezvous(self, key: str) -> Path:
        """Where rank 0 writes the address at which the ranks of attempt `key` meet."""
        return self.path / f"rendezvous-{key}.json"


PRIVATE = 0o700
"""The mode of a folder that its owner alone may enter."""


def create(root: Path, name: str, mode: int = PRIVATE) -> RunDir:
    """A new run folder `NAME-NUMBER` under `root`.

    Making the folder is what claims the number, so two submissions at once get two runs.
    """
    root.mkdir(parents=True, exist_ok=True)
    number = max((number for number, _ in _numbered(root, name)), default=0)
    while True:
        number += 1
        path = root / f"{name}-{number}"
        try:
            make_folder(path, mode)
        except FileExistsError:
            continue
        return RunDir(path)


def make_folder(path: Path, mode: int) -> None:
    """Make a folder of exactly this mode, whatever the umask; its parents as usual."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.mkdir(mode=PRIVATE)
    path.chmod(mode)


def mode_of(run: RunDir) -> int:
    """Who may enter a run folder, and so what belongs to it."""
    return stat.S_IMODE(run.path.stat().st_mode)


def next_id(root: Path, name: str) -> str:
    """The id that `create` would give now; nothing is made."""
    return f"{name}-{max((number for number, _ in _numbered(root, name)), default=0) + 1}"


def runs(root: Path, name: str | None = None) -> list[RunDir]:
    """All runs under `root` that can be read, or those of one name, the oldest first."""
    if name is not None:
        return [run for _, run in sorted(_numbered(root, name), key=lambda pair: pair[0])]
    dated = [(_planned(run), run) for run in map(RunDir, root.glob("*-*"))]
    readable = [(since, run) for since, run in dated if since is not None]
    return [run for _, run in sorted(readable, key=lambda pair: pair[0])]


def own(runs: list[RunDir]) -> list[RunDir]:
    """Those of the runs that are ours to write into; a folder may be shared by many users."""
    how = os.W_OK | os.X_OK
    return [run for run in runs if os.access(run.path, how, effective_ids=True)]


def _planned(run: RunDir) -> float | None:
    """When a run got its spec; None where there is none, or another user keeps it to himself."""
    try:
        return run.spec.stat().st_mtime
    except OSError:
        return None


def _numbered(root: Path, name: str) -> Iterator[tuple[int, RunDir]]:
    if root.is_dir():
        for path in root.iterdir():
            match = re.fullmatch(re.escape(name) + r"-(\d+)", path.name)
            if match and path.is_dir():
                yield int(match[1]), RunDir(path)


_NEW = os.O_WRONLY | os.O_CREAT | os.O_EXCL


def write_atomic(path: Path, content: str | bytes, mode: int = 0o666) -> None:
    """Write a file whole or not at all, also through a power cut; `mode` is less the umask."""
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    temporary.unlink(missing_ok=True)
    try:
        with os.fdopen(os.open(temporary, _NEW, mode), "wb") as file:
            file.write(content.encode() if isinstance(content, str) else content)
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)
    sync_folder(path.parent)


def sync_folder(folder: Path) -> None:
    """Make the names in a folder durable."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def write_json(path: Path, value: Any) -> None:
    """Write `value` as readable JSON, whole or not at all."""
    write_atomic(path, json.dumps(value, indent=2) + "\n")


def read_json(path: Path) -> Any:
    """The value in a JSON file, or None where there is no such file."""
    try:
        return json.loads(path.read_text())
    except FileNotFoundError:
        return None
