"""`hpcdl rm`: remove runs, with all that MLflow has of them."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hpc_dl.errors import EXIT_FAILED, UserError, first_few
from hpc_dl.run.layout import RunDir

if TYPE_CHECKING:
    from hpc_dl.tracking.removal import TrackedRun

HELP = """Remove runs for good: their folders, and their MLflow runs with artifacts and models. What
would be removed is listed first, and nothing is removed without --yes. Runs that may still train
are refused, and those with a registered model."""
_SECONDS = 60.0
"""To wait for another process that is writing to the store."""


def configure(parser: argparse.ArgumentParser) -> None:
    from hpc_dl.cli import common

    common.add_runs(parser)
    parser.add_argument("--yes", action="store_true", help="remove them")
    parser.add_argument(
        "--registered", action="store_true", help="also registered versions of their models"
    )
    parser.add_argument(
        "--folder-only", action="store_true", help="leave all that the MLflow store has"
    )


@dataclass(frozen=True)
class _Removal:
    """What would be removed of a run."""

    run: RunDir
    folder_bytes: int
    tracked: TrackedRun | None

    @property
    def bytes(self) -> int:
        """On disk, as far as they are known."""
        return self.folder_bytes + ((self.tracked and self.tracked.artifact_bytes) or 0)

    def lines(self) -> Iterator[str]:
        yield f"{self.run.id}: {self.run.path}, {_size(self.folder_bytes)}"
        if (it := self.tracked) is None:
            return
        artifacts = "" if it.artifact_bytes is None else f" of {_size(it.artifact_bytes)}"
        yield f"  MLflow run {it.mlflow_id} in {it.store}, with its artifacts{artifacts}"
        for name, version in it.versions:
            yield f"  version {version} of the registered model {name}"
        if not it.for_good:
            yield "  the server keeps the run as deleted until `mlflow gc` is run there"

    def to_json(self) -> dict[str, Any]:
        import dataclasses

        tracked = dataclasses.asdict(self.tracked) if self.tracked else None
        return {"run": self.run.id, "folder_bytes": self.folder_bytes, "mlflow": tracked}


def run(args: argparse.Namespace) -> int:
    from hpc_dl.cli import common
    from hpc_dl.run import removal
    from hpc_dl.tracking import removal as tracking

    chosen = common.chosen_runs(args)
    _refuse_others(chosen)
    _refuse_active(chosen)
    found = [
        _Removal(
            one,
            removal.disk_bytes(one.path),
            None if args.folder_only else tracking.find(one, _SECONDS),
        )
        for one in chosen
    ]
    if not args.registered:
        _refuse_registered(found)
    _warn_of_dependents(common.run_root(args), chosen)
    if args.json:
        shown = {"removed": args.yes, "runs": [it.to_json() for it in found]}
    else:
        sys.stdout.write("".join(f"{line}\n" for it in found for line in it.lines()))
        sys.stdout.flush()
    if args.yes:
        for one in chosen:
            _refuse_active([one])  # it may have been resumed meanwhile
            if not args.folder_only:
                tracking.remove(one, _SECONDS)
            removal.remove(one)
    if args.json:
        common.print_json(shown)
        return 0
    total = _size(sum(it.bytes for it in found))
    sys.stdout.write(
        f"{total} freed\n" if args.yes else f"{total} would be freed: --yes removes them\n"
    )
    return 0


def _size(count: float) -> str:
    for unit in ("bytes", "kB", "MB", "GB"):
        if count < 1000:
            return f"{count:.3g} {unit}"
        count /= 1000
    return f"{count:.3g} TB"


def _refuse_others(runs: Sequence[RunDir]) -> None:
    from hpc_dl.run import layout

    if others := set(runs) - set(layout.own_runs(list(runs))):
        raise UserError(f"{first_few(sorted(it.id for it in others))} belong to another user")


def _refuse_active(runs: Sequence[RunDir]) -> None:
    """Raise UserError for runs that train, wait to, or may do so for all that is known."""
    from hpc_dl.status import read_statuses

    for status in read_statuses(runs):
        if status.active or not status.reachable:
            raise UserError(
                f"{status.id} is {status.state}, and may train: nothing of it is removed",
                hint=f"`hpcdl cancel {status.id}` stops it.",
                exit_code=EXIT_FAILED,
            )


def _refuse_registered(found: Sequence[_Removal]) -> None:
    for it in found:
        if it.tracked and it.tracked.versions:
            name, version = it.tracked.versions[0]
            raise UserError(
                f"{it.run.id} is version {version} of the registered model {name}",
                hint="--registered removes this, too.",
            )


def _warn_of_dependents(root: Path, chosen: Sequence[RunDir]) -> None:
    """Tell of other runs whose specs name one of these, as `after` does, or a file of it, as
    `model.classifier` may."""
    from hpc_dl.run import layout

    for other in layout.list_runs(root):
        if other in chosen:
            continue
        try:
            spec = layout.read_bytes(other.spec).decode(errors="replace")
        except (UserError, OSError):
            continue
        for one in chosen:
            if any(it in spec for it in (f"{one.path}/", f"{one.path}\n", f"- {one.id}\n")):
                sys.stderr.write(f"warning: the spec of {other.id} names {one.id}\n")
