"""`hpcdl sync`: bring to the store what the runs have journalled and it does not have."""

from __future__ import annotations

import argparse
import contextlib
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field

from hpc_dl.errors import EXIT_FAILED, UserError
from hpc_dl.jobspec.credentials import hidden
from hpc_dl.run.layout import RunDir

HELP = "Bring what runs have journalled to the MLflow store, where a job could not."
PATIENCE = 60.0
"""Seconds to wait for another process that is writing to the store."""


def configure(parser: argparse.ArgumentParser) -> None:
    from hpc_dl.cli import runs

    runs.configure(parser, optional=True)
    parser.add_argument("--all", action="store_true", help="all runs, as without RUN")


def run(args: argparse.Namespace) -> int:
    """Bring one run or all; the exit code is 1 if a store did not take everything."""
    from hpc_dl.cli import runs
    from hpc_dl.run import layout
    from hpc_dl.status import find_run, reconcile

    root = runs.root(args)
    chosen = [find_run(root, args.word)] if args.word else layout.own(layout.runs(root))
    reconcile(chosen)
    outcomes = [_Outcome(one) for one in chosen]
    for outcome in outcomes:
        outcome.sync_journal()
    for outcome in outcomes:  # which may be slow or refused: no metrics shall wait for them
        outcome.upload_files()
    if args.json:
        runs.print_json([outcome.to_json() for outcome in outcomes])
    else:
        sys.stdout.write("".join(f"{outcome}\n" for outcome in outcomes))
    return EXIT_FAILED if any(outcome.errors for outcome in outcomes) else 0


@dataclass
class _Outcome:
    """What became of one run."""

    run: RunDir
    points: int = 0
    notes: tuple[str, ...] = ()
    errors: list[str] = field(default_factory=list)

    def sync_journal(self) -> None:
        from hpc_dl.tracking import sync

        with self._errors():
            brought = sync.sync_journal(self.run, PATIENCE)
            self.points, self.notes = brought.points, brought.notes

    def upload_files(self) -> None:
        from hpc_dl.tracking import sync

        if not self.errors:
            with self._errors():
                sync.upload_files(self.run, PATIENCE)

    @contextlib.contextmanager
    def _errors(self) -> Iterator[None]:
        """Note what goes wrong: whatever it is, the other runs are worth a try."""
        try:
            yield
        except UserError as error:
            self.errors.append(str(error))
        except Exception as error:
            self.errors.append(hidden(f"{type(error).__name__}: {error}"))

    def to_json(self) -> dict[str, object]:
        said: dict[str, object] = {
            "run": self.run.id,
            "points": self.points,
            "complete": not self.errors,
        }
        if self.notes:
            said["notes"] = list(self.notes)
        if self.errors:
            said["error"] = "\n".join(self.errors)
        return said

    def __str__(self) -> str:
        brought = [] if self.errors and not self.points else [f"{self.points} points brought"]
        return f"{self.run.id}: " + "; ".join([*brought, *self.notes, *self.errors])
