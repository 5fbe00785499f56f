"""`hpcdl sync`: send to MLflow what runs have journalled and their jobs could not send."""

from __future__ import annotations

import argparse
import contextlib
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field

from hpc_dl.errors import EXIT_FAILED, UserError
from hpc_dl.jobspec.credentials import hidden
from hpc_dl.run.layout import RunDir

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
    outcomes = [_Outcome(one) for one in chosen]
    for outcome in outcomes:
        outcome.sync_journal()
    for outcome in outcomes:  # after all metrics, for files may be slow or refused
        outcome.upload_files()
    if args.json:
        common.print_json([outcome.to_json() for outcome in outcomes])
    else:
        sys.stdout.write("".join(f"{outcome}\n" for outcome in outcomes))
    return EXIT_FAILED if any(outcome.errors for outcome in outcomes) else 0


@dataclass
class _Outcome:
    """The sync of one run: how much was sent, and what went wrong."""

    run: RunDir
    points: int = 0
    files: bool = False
    """Whether pending files were uploaded."""
    notes: tuple[str, ...] = ()
    errors: list[str] = field(default_factory=list)

    def sync_journal(self) -> None:
        from hpc_dl.tracking import sync

        with self._errors():
            sent = sync.sync_journal(self.run, TIMEOUT)
            self.points, self.notes = sent.points, sent.notes

    def upload_files(self) -> None:
        from hpc_dl.tracking import sync

        if not self.errors:
            with self._errors():
                self.files = sync.upload_files(self.run, TIMEOUT)

    @contextlib.contextmanager
    def _errors(self) -> Iterator[None]:
        """Collect an error, so that the other runs are synced all the same."""
        try:
            yield
        except UserError as error:
            self.errors.append(str(error))
        except Exception as error:
            self.errors.append(hidden(f"{type(error).__name__}: {error}"))

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
