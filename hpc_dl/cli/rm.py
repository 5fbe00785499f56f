"""`hpcdl rm`: remove runs, with all that MLflow has of them."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from hpc_dl.cli.run_removal import Removal, find, refuse_active, remove, remove_folder, size
from hpc_dl.errors import UserError, first_few
from hpc_dl.run.layout import RunDir

HELP = """Remove runs for good: their folders, and their MLflow runs with artifacts and models. What
would be removed is listed first, and nothing is removed without --yes. Runs that may still train
are refused, and those with a registered model."""


def configure(parser: argparse.ArgumentParser) -> None:
    from hpc_dl.cli import common

    common.add_runs(parser)
    add_options(parser)


def add_options(parser: argparse.ArgumentParser) -> None:
    """Add the options of a removal."""
    parser.add_argument("--yes", action="store_true", help="remove them")
    parser.add_argument(
        "--registered", action="store_true", help="also registered versions of their models"
    )
    parser.add_argument(
        "--folder-only", action="store_true", help="leave all that the MLflow store has"
    )


def run(args: argparse.Namespace) -> int:
    from hpc_dl.cli import common

    remove_chosen(common.chosen_runs(args), args)
    return 0


def remove_chosen(runs: Sequence[RunDir], args: argparse.Namespace, *sweeps: RunDir) -> None:
    """List runs, and the folders of sweeps; with --yes remove them, the sweeps last.

    Raises UserError where one may train.
    """
    from hpc_dl.cli import common

    chosen = [*runs, *sweeps]
    _refuse_others(chosen)
    refuse_active(runs)
    found = [find(one, folder_only=args.folder_only) for one in chosen]
    if not args.registered:
        _refuse_registered(found)
    _warn_of_dependents(common.run_root(args), chosen)
    if args.json:
        shown = {"removed": args.yes, "runs": [it.to_json() for it in found]}
    else:
        sys.stdout.write("".join(f"{line}\n" for it in found for line in it.lines()))
        sys.stdout.flush()
    if args.yes:
        for one in runs:
            remove(one, folder_only=args.folder_only)
        for sweep in sweeps:
            remove_folder(sweep, folder_only=args.folder_only)
    if args.json:
        common.print_json(shown)
        return
    total = size(sum(it.bytes for it in found))
    sys.stdout.write(
        f"{total} freed\n" if args.yes else f"{total} would be freed: --yes removes them\n"
    )


def _refuse_others(runs: Sequence[RunDir]) -> None:
    from hpc_dl.run import layout

    if others := set(runs) - set(layout.own_runs(list(runs))):
        raise UserError(f"{first_few(sorted(it.id for it in others))} belong to another user")


def _refuse_registered(found: Sequence[Removal]) -> None:
    for it in found:
        if it.tracked and it.tracked.versions:
            name, version = it.tracked.versions[0]
            raise UserError(
                f"{it.run.id} is version {version} of the registered model {name}",
                hint="--registered removes this, too.",
            )


def _warn_of_dependents(root: Path, chosen: Sequence[RunDir]) -> None:
    """Tell of other runs whose specs name one of these."""
    from hpc_dl.run import layout
    from hpc_dl.status import named_runs

    known = layout.list_runs(root)
    for other in known:
        if other not in chosen:
            for one in [it for it in chosen if it in named_runs(other, known)]:
                sys.stderr.write(f"warning: the spec of {other.id} names {one.id}\n")
