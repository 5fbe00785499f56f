"""`hpcdl sync`: send to MLflow what runs have journalled and their jobs could not send."""

from __future__ import annotations

import argparse
import contextlib
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from hpc_dl.errors import EXIT_FAILED, UserError
from hpc_dl.jobspec.credentials import hidden
from hpc_dl.run.layout import RunDir

if TYPE_CHECKING:
    from hpc_dl.sweep.folder import SweepDir

HELP = "Send to the MLflow store what runs have journalled and their jobs could not send."
TIMEOUT = 60.0
"""Seconds to wait for another process that is writing to the store."""


def configure(parser: argparse.ArgumentParser) -> None:
    from hpc_dl.cli import common

    common.add_runs(parser, optional=True)
    parser.add_argument("--all", action="store_true", help="all runs, as without RUN")


def run(args: argparse.Namespace) -> int:
    """Sync some runs or all; the exit code is 1 if a store did not take everything."""
    from hpc_dl.cli import common
    from hpc_dl.run import layout
    from hpc_dl.status import reconcile

    if args.words:
        chosen = common.chosen_runs(args)
    else:
        chosen = layout.own_runs(layout.list_runs(common.run_root(args)))
    reconcile(chosen)
    outcomes = [_RunOutcome(one) for one in chosen]
    for outcome in outcomes:
        outcome.sync_journal()
    for outcome in outcomes:  # after all metrics, for files may be slow or refused
        outcome.upload_files()
    sweeps = [_SweepOutcome(it) for it in _sweeps_of(chosen)]
    for sweep in sweeps:
        sweep.send_page()
    told = [it for it in sweeps if it.is_sent or it.errors]
    every: list[_RunOutcome | _SweepOutcome] = [*outcomes, *told]
    if args.json:
        common.print_json([outcome.to_json() for outcome in every])
    else:
        sys.stdout.write("".join(f"{outcome}\n" for outcome in every))
    return EXIT_FAILED if any(outcome.errors for outcome in every) else 0


def _sweeps_of(runs: Sequence[RunDir]) -> list[SweepDir]:
    """Return the sweeps whose trials these runs are."""
    from hpc_dl.sweep.folder import SweepDir

    found = [SweepDir(it) for it in dict.fromkeys(run.root / run.name for run in runs)]
    return [it for it in found if it.info.is_file()]


@dataclass
class _Outcome:
    """What went wrong."""

    errors: list[str] = field(default_factory=list, kw_only=True)

    @contextlib.contextmanager
    def collecting_errors(self) -> Iterator[None]:
        """Collect an error, so that the others are synced all the same."""
        try:
            yield
        except UserError as error:
            self.errors.append(str(error))
        except Exception as error:
            self.errors.append(hidden(f"{type(error).__name__}: {error}"))


@dataclass
class _RunOutcome(_Outcome):
    """The sync of one run: how much was sent, and what went wrong."""

    run: RunDir
    points: int = 0
    files: bool = False
    """Whether pending files were uploaded."""
    notes: tuple[str, ...] = ()

    def sync_journal(self) -> None:
        from hpc_dl.tracking import sync

        with self.collecting_errors():
            sent = sync.sync_journal(self.run, TIMEOUT)
            self.points, self.notes = sent.points, sent.notes

    def upload_files(self) -> None:
        from hpc_dl.tracking import sync

        if not self.errors:
            with self.collecting_errors():
                self.files = sync.upload_files(self.run, TIMEOUT)

    def to_json(self) -> dict[str, object]:
        found: dict[str, object] = {
            "run": self.run.id,
            "points": self.points,
            "complete": not self.errors,
        }
        if self.notes:
            found["notes"] = list(self.notes)
        if self.errors:
            found["error"] = "\n".join(self.errors)
        return found

    def __str__(self) -> str:
        files = " and files" if self.files else ""
        sent = [] if self.errors and not self.points else [f"{self.points} points{files} sent"]
        return f"{self.run.id}: " + "; ".join([*sent, *self.notes, *self.errors])


@dataclass
class _SweepOutcome(_Outcome):
    """The sync of the page of a sweep."""

    sweep: SweepDir
    is_sent: bool = False

    def send_page(self) -> None:
        from hpc_dl.sweep import mlflow_page

        with self.collecting_errors():
            self.is_sent = mlflow_page.update(self.sweep, TIMEOUT)

    def to_json(self) -> dict[str, object]:
        found: dict[str, object] = {"sweep": self.sweep.id, "complete": not self.errors}
        return found | ({"error": "\n".join(self.errors)} if self.errors else {})

    def __str__(self) -> str:
        sent = ["its results and pictures sent"] if self.is_sent else []
        return f"{self.sweep.id}: " + "; ".join([*sent, *self.errors])
