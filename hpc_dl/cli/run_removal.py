"""Removal of runs with all that MLflow has of them, as `hpcdl rm` and `hpcdl clean` have it."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from hpc_dl.errors import EXIT_FAILED, UserError
from hpc_dl.run.layout import RunDir

if TYPE_CHECKING:
    from hpc_dl.tracking.removal import TrackedRun

SECONDS = 60.0
"""To wait for another process that is writing to the store."""


@dataclass(frozen=True)
class Removal:
    """What would be removed of a run."""

    run: RunDir
    folder_bytes: int
    tracked: TrackedRun | None

    @property
    def bytes(self) -> int:
        """On disk, as far as they are known."""
        return self.folder_bytes + ((self.tracked and self.tracked.artifact_bytes) or 0)

    def lines(self) -> Iterator[str]:
        yield f"{self.run.id}: {self.run.path}, {size(self.folder_bytes)}"
        if (it := self.tracked) is None:
            return
        artifacts = "" if it.artifact_bytes is None else f" of {size(it.artifact_bytes)}"
        yield f"  MLflow run {it.mlflow_id} in {it.store}, with its artifacts{artifacts}"
        for name, version in it.versions:
            yield f"  version {version} of the registered model {name}"
        if not it.for_good:
            yield "  the server keeps the run as deleted until `mlflow gc` is run there"

    def to_json(self) -> dict[str, Any]:
        tracked = dataclasses.asdict(self.tracked) if self.tracked else None
        return {"run": self.run.id, "folder_bytes": self.folder_bytes, "mlflow": tracked}


def find(run: RunDir, *, folder_only: bool = False) -> Removal:
    """Return what would be removed of a run. Raises StoreUnavailable, LockTimeout, DamagedFile."""
    from hpc_dl.run import removal
    from hpc_dl.tracking import removal as tracking

    tracked = None if folder_only else tracking.find(run, SECONDS)
    return Removal(run, removal.freed_bytes([run.path]), tracked)


def remove(run: RunDir, *, folder_only: bool = False) -> None:
    """Remove a run, unless it may train by now."""
    refuse_active([run])  # it may have been resumed meanwhile
    remove_folder(run, folder_only=folder_only)


def remove_folder(run: RunDir, *, folder_only: bool = False) -> None:
    """Remove the folder of a run or a sweep, with all that the MLflow store has of it. The folder
    goes last, and at once; then the copy of hpcdl that no other one has."""
    from hpc_dl.run import removal
    from hpc_dl.submission import hpcdl_code
    from hpc_dl.tracking import removal as tracking

    if not folder_only:
        tracking.remove(run, SECONDS)
    removal.remove(run)
    hpcdl_code.remove_unreferenced(run.root)


def refuse_active(runs: Sequence[RunDir]) -> None:
    """Raise UserError for runs that train, wait to, or may do so for all that is known."""
    from hpc_dl.status import read_statuses

    for status in read_statuses(runs):
        if status.active or not status.reachable:
            raise UserError(
                f"{status.id} is {status.state}, and may train: nothing of it is removed",
                hint=f"`hpcdl cancel {status.id}` stops it.",
                exit_code=EXIT_FAILED,
            )


def size(count: float) -> str:
    """Return bytes for people: `1.5 kB`."""
    for unit in ("bytes", "kB", "MB", "GB"):
        if count < 1000:
            return f"{count:.3g} {unit}"
        count /= 1000
    return f"{count:.3g} TB"
