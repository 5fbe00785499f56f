"""Every path name of a run, in one place; whole-or-absent writes; reads that name a damaged file.

The run folder is the truth about a run, and the only thing that the login node and the
compute nodes share.
"""

from __future__ import annotations

import json
import os
import re
import stat
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

from hpc_dl.errors import UserError, naming

LARGEST = 2**26
"""Bytes of a file that is read whole; a longer one is none of ours."""
REPAIRS = {
    "spec.yaml": "The job spec that it was submitted from, with `hpcdl submit`, makes a new run.",
    "plan.json": "`hpcdl submit` of the same job spec, or `hpcdl resume`, writes it anew.",
    "tracking-uri": "Write the URI of the MLflow store there, with its password, for you alone to "
    "read, or submit the job again.",
    "submission.json": "Once none of its jobs is left (`squeue --me`, or `ps` for a local one), "
    "remove the file: `hpcdl submit` then goes on with the run.",
    "fingerprint.json": "Move the file away: `hpcdl resume` goes on with the data that are there.",
    "journal.jsonl": "Move the file away: the checkpoints are whole without it, and `hpcdl submit` "
    "goes on from the newest.",
}
"""What to do about a damaged file that nothing else stands in for, by its name."""


class DamagedFile(UserError):
    """A file of a run that cannot be read, or does not hold what it should."""

    def __init__(self, path: Path, fault: str) -> None:
        super().__init__(f"{path} {fault}", hint=REPAIRS.get(path.name, ""))
        self.path = path


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
    def fingerprint(self) -> Path:
        """Digests of the data, and of other files that the training begins from."""
        return self.path / "fingerprint.json"

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
    def assets(self) -> Path:
        """What was fitted on the training split, such as a vocabulary."""
        return self.path / "assets"

    @property
    def artifacts(self) -> Path:
        """Pictures, texts and other things to look at."""
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
    def uploads(self) -> Path:
        """Which files are still to be uploaded to the store, and why they were not."""
        return self.path / "uploads.json"

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
    try:
        root.mkdir(parents=True, exist_ok=True)
    except FileExistsError:
        raise _no_folder(root) from None
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
    """All runs under `root`, also damaged ones, or the folders of one name; the oldest first.

    Not those that other users keep to themselves. Raises UserError where `root` is no folder.
    """
    if name is not None:
        return [run for _, run in sorted(_numbered(root, name), key=lambda pair: pair[0])]
    found = [RunDir(path) for path in _entries(root) if "-" in path.name]
    dated = [(since, run) for run in found if (since := _since(run)) is not None]
    return [run for _, run in sorted(dated, key=lambda pair: pair[0])]


def own(runs: list[RunDir]) -> list[RunDir]:
    """Those of the runs that are ours to write into; a folder may be shared by many users."""
    how = os.W_OK | os.X_OK
    return [run for run in runs if os.access(run.path, how, effective_ids=True)]


def is_run(run: RunDir) -> bool:
    """Whether the folder is a run's, and not something else that is called like one."""
    return _since(run) is not None


def _since(run: RunDir) -> float | None:
    """When a run got its spec, or another of its files; None where it is none that we may see."""
    for path in (run.spec, run.journal, run.submission):
        try:
            return path.lstat().st_mtime
        except FileNotFoundError:
            continue
        except OSError:
            return _folder_time(run.path)
    return None


def _folder_time(path: Path) -> float | None:
    """The time of a folder of ours that does not let us in; None of anything else."""
    try:
        found = path.lstat()
    except OSError:
        return None
    ours = stat.S_ISDIR(found.st_mode) and found.st_uid == os.geteuid()
    return found.st_mtime if ours else None


def _numbered(root: Path, name: str) -> Iterator[tuple[int, RunDir]]:
    for path in _entries(root):
        match = re.fullmatch(re.escape(name) + r"-(\d+)", path.name)
        if match and path.is_dir():
            yield int(match[1]), RunDir(path)


def _entries(root: Path) -> list[Path]:
    """What lies in the folder of all runs, which may not be there yet."""
    try:
        return list(root.iterdir())
    except FileNotFoundError:
        return []
    except NotADirectoryError:
        raise _no_folder(root) from None


def _no_folder(root: Path) -> UserError:
    return UserError(
        f"{root} is no folder, and runs cannot lie in it",
        hint="The folder of all runs is `run_root` of the site, or HPCDL_RUN_ROOT.",
    )


_NEW = os.O_WRONLY | os.O_CREAT | os.O_EXCL


def write_atomic(path: Path, content: str | bytes, mode: int = 0o666) -> None:
    """Write a file whole or not at all, also through a power cut; `mode` is less the umask."""
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    temporary.unlink(missing_ok=True)
    try:
        with naming(path), os.fdopen(os.open(temporary, _NEW, mode), "wb") as file:
            file.write(content.encode() if isinstance(content, str) else content)
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)
    sync_folder(path.parent)


def age(path: Path) -> float | None:
    """Seconds since a file was written; None where it is not there.

    Nothing is written to find that out, so it errs by as much as the clocks of this machine and of
    the file system differ.
    """
    try:
        return time.time() - path.stat().st_mtime
    except OSError:
        return None


def sync_folder(folder: Path) -> None:
    """Make the names in a folder durable."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        with naming(folder):
            os.fsync(descriptor)
    finally:
        os.close(descriptor)


def write_json(path: Path, value: Any) -> None:
    """Write `value` as readable JSON, whole or not at all."""
    write_atomic(path, json.dumps(value, indent=2) + "\n")


def open_file(path: Path) -> BinaryIO:
    """Open a regular file for reading.

    Raises FileNotFoundError where there is none, and DamagedFile for anything else that stands in
    its place or in the way: a folder, a pipe, a link that leads nowhere, another user's file.
    """
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK)  # to open a pipe would wait
    except FileNotFoundError:
        if path.is_symlink():
            raise DamagedFile(path, "is a link that leads nowhere") from None
        raise
    except OSError as error:
        raise DamagedFile(path, f"cannot be read: {error.strerror}") from None
    mode = os.fstat(descriptor).st_mode
    if not stat.S_ISREG(mode):
        os.close(descriptor)
        raise DamagedFile(path, "is a folder" if stat.S_ISDIR(mode) else "is no regular file")
    return os.fdopen(descriptor, "rb")


def read_bytes(path: Path) -> bytes:
    """The content of a small file. Raises FileNotFoundError and DamagedFile as `open_file`."""
    with open_file(path) as file:
        try:
            content = file.read(LARGEST + 1)
        except OSError as error:
            raise DamagedFile(path, f"cannot be read: {error.strerror}") from None
    if len(content) > LARGEST:
        raise DamagedFile(path, f"is damaged: it is larger than {LARGEST >> 20} MB")
    return content


def read_json(path: Path) -> Any:
    """The value in a JSON file, or None where there is no such file. Raises DamagedFile."""
    try:
        return parse_json(path, read_bytes(path))
    except FileNotFoundError:
        return None


def parse_json(path: Path, content: bytes) -> Any:
    """The value that a file with this content holds. Raises DamagedFile where it is no JSON."""
    if not content.strip(b"\0 \t\r\n"):  # zeros are what a power cut leaves
        raise DamagedFile(path, "is damaged: it is empty")
    try:
        return json.loads(content)
    except (ValueError, RecursionError) as error:
        raise DamagedFile(path, f"is damaged: it is no JSON ({error})") from None
