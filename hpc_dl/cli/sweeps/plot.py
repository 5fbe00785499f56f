"""`hpcdl sweep plot`: the results of a sweep as a figure."""

from __future__ import annotations

import argparse
import sys

from hpc_dl.cli import common, out_file
from hpc_dl.errors import EXIT_FAILED, UserError
from hpc_dl.sweep import importance, results
from hpc_dl.sweep.folder import SweepDir


def run(sweep: SweepDir, args: argparse.Namespace) -> None:
    """Draw the best value so far, the curves of all trials, their values, and how much each option
    matters. Raises UserError while there is nothing to draw."""
    from hpc_dl.sweep import pictures

    out_file.check(args.out, force=args.force, suffixes=out_file.FIGURES)
    found = results.read(sweep)
    if not found.curves:
        raise UserError(
            f"no trial of {sweep.id} has a value of {found.metric} yet",
            hint=f"`hpcdl sweep status {sweep.id}` shows how far it is.",
            exit_code=EXIT_FAILED,
        )
    pictures.save_together(found, args.out, sweep.id)
    note = importance.why_not(found.ranked)
    if args.json:
        common.print_json({"file": str(args.out), "notes": [note] if note else []})
    else:
        sys.stdout.write(f"{args.out}\n")
        sys.stderr.write(f"note: {note}\n" if note else "")
