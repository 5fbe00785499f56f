"""All paths of a run folder, atomic writes, and reads that name a damaged file.

The run folder is the truth about a run, and the only thing that the login node and the
compute nodes share.
"""

from __future__ import annotations

import contextlib
import json
import os
import re
import stat
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

from hpc_dl.errors import EXIT_FAILED, UserError, naming

MAX_BYTES = 2**26
"""Of a file that is read whole; hpcdl writes no longer ones."""
REPAIRS = {
    "spec.yaml": "The job spec that it was submitted from, with `hpcdl submit`, makes a new run.",
    "plan.json": "`hpcdl submit` of the same job spec, or `hpcdl resume`, writes it anew.",
    "tracking-uri": "Write the URI of the MLflow store there, with its password, for you alone to "
    "read, or submit the job again.",
    "submission.json": "Once none of its jobs is left (`squeue --me`, or `ps` for a local one), "
    "remove the file: `hpcdl submit` then resumes the run.",
    "fingerprint.json": "Move the file away: `hpcdl resume` then accepts the data that are there.",
    "sweep.json": "Move the file away: its sweep goes on, and MLflow shows the run by itself.",
    "journal.jsonl": "Move the file away: the checkpoints do not need it, and `hpcdl submit` "
    "resumes from the newest.",
}
"""By name of a damaged file that cannot be restored, what the user can do."""


class DamagedFile(UserError):
    """A file of a run that cannot be read, or does not hold what it should."""

    def __init__(self, path: Path, fault: str) -> None:
        hint = REPAIRS.get(path.name, "")
        super().__init__(f"{path} {fault}", hint=hint, exit_code=EXIT_FAILED)
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
        """Provenance of the code: git commit, packages, user, host."""
        return self.path / "provenance.json"

    @property
    def fingerprint(self) -> Path:
        """Digests of the data, and of other files that the training begins from."""
        return self.path / "fingerprint.json"

    @property
    def initial_weights(self) -> Path:
        """Folder of the weights that the training begins with, where it begins with any."""
        return self.path / "initial_weights"

    @property
    def sweep(self) -> Path:
        """The sweep that the run is a trial of, if it is one; see `membership`."""
        return self.path / "sweep.json"

    @property
    def diff(self) -> Path:
        """The difference from the git commit at submission."""
        return self.path / "code.diff"

    @property
    def script(self) -> Path:
        """The job script as it was submitted."""
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
    def hpcdl(self) -> Path:
        """Link to the copy of hpcdl itself that the jobs of the run import."""
        return self.path / "hpcdl"

    @property
    def checkpoints(self) -> Path:
        return self.path / "checkpoints"

    @property
    def learning_rate(self) -> Path:
        """The result of the learning rate finder, where the spec asks for it."""
        return self.path / "learning_rate.json"

    @property
    def profile(self) -> Path:
        """The trace of the steps that the spec has profiled."""
        return self.artifacts / "profile.json.gz"

    def nonfinite(self, step: int) -> Path:
        """Batch and weights of a step whose loss was not finite."""
        return self.path / "nonfinite" / f"step-{step:08d}"

    @property
    def assets(self) -> Path:
        """Folder of what was fitted on the training split, such as a vocabulary."""
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
    def evaluations(self) -> Path:
        """Folder of the evaluations on other data, a folder each."""
        return self.path / "evaluations"

    @property
    def report(self) -> Path:
        """What the run has used, as a page."""
        return self.path / "report.md"

    @property
    def logs(self) -> Path:
        """Logs of the ranks and of the launcher."""
        return self.path / "logs"

    @property
    def tracking(self) -> Path:
        """Sync cursor: how far the journal has been sent, and to which MLflow run."""
        return self.path / "tracking.json"

    @property
    def uploads(self) -> Path:
        """Files that are still to be uploaded, with the errors of earlier attempts."""
        return self.path / "uploads.json"

    @property
    def tracking_uri(self) -> Path:
        """The store's URI, if it holds a password: no other file has it."""
        return self.path / "tracking-uri"

    @property
    def secrets(self) -> Path:
        """Environment variables with passwords, as lines of shell; only the owner may read it."""
        return self.path / "secrets.sh"

    @property
    def cancel(self) -> Path:
        """Exists once the user has asked for the run to be cancelled."""
        return self.path / "cancel-requested"

    @property
    def pause(self) -> Path:
        """Exists once its sweep has asked the run to pause, and says why."""
        return self.path / "pause-requested"

    def rendezvous(self, key: str) -> Path:
        """File in which rank 0 writes the address at which the ranks of attempt `key` meet."""
        return self.path / f"rendezvous-{key}.json"


PRIVATE = 0o700
"""The mode of a folder that only its owner may enter."""


def create(root: Path, name: str, mode: int = PRIVATE) -> RunDir:
    """Create a run folder `NAME-NUMBER` under `root`.

    Creating it claims the number, so two submissions at once get two runs.
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
    """Make a folder with exactly this mode, whatever the umask is."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.mkdir(mode=PRIVATE)
    path.chmod(mode)


def mode_of(run: RunDir) -> int:
    """Return the mode of a run folder, which other files of the run get too."""
    return stat.S_IMODE(run.path.stat().st_mode)


@contextlib.contextmanager
def writing_as(run: RunDir, *, beside: bool = False) -> Iterator[None]:
    """Have whoever may enter a run folder read what this process writes meanwhile; see
    `set_umask`."""
    former = set_umask(mode_of(run), beside=beside)
    try:
        yield
    finally:
        os.umask(former)


def set_umask(mode: int, *, beside: bool = False) -> int:
    """Have whoever may enter run folders of this mode read what is written in them, and return the
    former umask.

    The folders themselves keep everybody else out. `beside` them, as in the MLflow store, the files
    have to: a group that may write there by the umask still may, and nobody else.
    """
    former = os.umask(0)
    others = 0o777 & ~mode
    if mode & 0o040:
        others = others & ~0o020 | former & 0o020
    os.umask(others if beside else former & ~mode)
    return former


def open_as(run: RunDir, folder: Path) -> None:
    """Have whoever may enter a run folder read copies below it, of files that were private."""
    mode = mode_of(run)
    for path in folder.rglob("*"):
        if not path.is_symlink():
            now = stat.S_IMODE(path.stat().st_mode)
            path.chmod(now | mode if path.is_dir() else now | mode & 0o444)


def next_id(root: Path, name: str) -> str:
    """Return the id that `create` would give now."""
    return f"{name}-{max((number for number, _ in _numbered(root, name)), default=0) + 1}"


def list_runs(root: Path, name: str | None = None) -> list[RunDir]:
    """List all runs under `root`, also damaged ones, or the folders of one name; the oldest first.

    Runs that this user may not see are left out. Raises UserError where `root` is no folder.
    """
    if name is not None:
        return [run for _, run in sorted(_numbered(root, name), key=lambda pair: pair[0])]
    named = [path for path in _entries(root) if "-" in path.name and path.name[0] != "."]
    found = [RunDir(path) for path in named]
    dated = [(since, run) for run in found if (since := _since(run)) is not None]
    return [run for _, run in sorted(dated, key=lambda pair: pair[0])]


def own_runs(runs: list[RunDir]) -> list[RunDir]:
    """Return the runs that this user may write to; many users may share a folder."""
    how = os.W_OK | os.X_OK
    return [run for run in runs if os.access(run.path, how, effective_ids=True)]


def is_run(run: RunDir) -> bool:
    """Return whether the folder is a run, and not only named like one."""
    return _since(run) is not None


def _since(run: RunDir) -> float | None:
    """Return when a run got its spec or another file; None where it is no run, or not readable."""
    for file in ("spec", "journal", "submission"):  # each path is made when it is needed
        try:
            return float(os.lstat(getattr(run, file)).st_mtime)
        except FileNotFoundError:
            continue
        except OSError:
            return _folder_time(run.path)
    return None


def _folder_time(path: Path) -> float | None:
    """Return the time of a folder that we own and may not enter; None of anything else."""
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
    """List the folder of all runs, which may not exist yet."""
    try:
        return list(root.iterdir())
    except FileNotFoundError:
        return []
    except NotADirectoryError:
        raise _no_folder(root) from None


def _no_folder(root: Path) -> UserError:
    return UserError(
        f"{root} is no folder for runs",
        hint="The folder of all runs is `run_root` of the site, or HPCDL_RUN_ROOT.",
    )


_NEW = os.O_WRONLY | os.O_CREAT | os.O_EXCL


def write_atomic(path: Path, content: str | bytes, mode: int = 0o666) -> None:
    """Write a file atomically, so that it survives a power cut; the umask limits `mode`."""
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
    """Return the seconds since a file was written; None without a file.

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
    """Write `value` as JSON, atomically."""
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
    """Return the content of a small file. Raises FileNotFoundError and DamagedFile."""
    with open_file(path) as file:
        try:
            content = file.read(MAX_BYTES + 1)
        except OSError as error:
            raise DamagedFile(path, f"cannot be read: {error.strerror}") from None
    if len(content) > MAX_BYTES:
        raise DamagedFile(path, f"is damaged: it is larger than {MAX_BYTES >> 20} MB")
    return content


def read_json(path: Path) -> Any:
    """Return the value in a JSON file, or None without a file. Raises DamagedFile."""
    try:
        return parse_json(path, read_bytes(path))
    except FileNotFoundError:
        return None


def parse_json(path: Path, content: bytes) -> Any:
    """Parse the content of a JSON file. Raises DamagedFile."""
    if not content.strip(b"\0 \t\r\n"):  # zeros are what a power cut leaves
        raise DamagedFile(path, "is damaged: it is empty")
    try:
        return json.loads(content)
    except (ValueError, RecursionError) as error:
        raise DamagedFile(path, f"is damaged: it is no JSON ({error})") from None
