"""`hpcdl plot`: curves of runs as a figure."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from hpc_dl.cli import common, out_file
from hpc_dl.cli.compare import grouped
from hpc_dl.comparison import curves, figure, table
from hpc_dl.comparison import groups as grouping
from hpc_dl.comparison.curves import Curve
from hpc_dl.comparison.groups import Group
from hpc_dl.errors import UserError

HELP = """Draw losses and the monitored metric over the steps: a panel a metric, a colour for what
differs in the specs. Runs that differ in their seeds alone are one line, the mean at the steps that
all of them have reached, in a band of one sample standard deviation."""


def configure(parser: argparse.ArgumentParser) -> None:
    common.add_runs(parser)
    kinds = " ".join(out_file.FIGURES)
    parser.add_argument(
        "-o", "--out", metavar="FILE", type=Path, required=True, help=f"the figure: {kinds}"
    )
    parser.add_argument("--force", action="store_true", help="replace FILE")


def run(args: argparse.Namespace) -> int:
    out_file.check(args.out, force=args.force, suffixes=out_file.FIGURES)
    groups, notes = grouped(common.chosen_runs(args))
    names = grouping.differing(groups)
    drawn: dict[str, list[dict[str, Curve]]] = {}
    for group in groups:
        found = {result.run.id: curves.read(result.run) for result in group.results}
        notes += [f"{name} has no curves yet" for name, curve in found.items() if not curve]
        if having := [curve for curve in found.values() if curve]:
            drawn[_label(group, names, len(having))] = having
    if not drawn:
        raise UserError("no run has curves yet", hint="\n".join(notes))
    figure.save(drawn, args.out)
    if args.json:
        common.print_json({"file": str(args.out), "labels": list(drawn), "notes": notes})
    else:
        sys.stdout.write(f"{args.out}\n")
        sys.stderr.write("".join(f"note: {note}\n" for note in notes))
    return 0


def _label(group: Group, names: list[str], count: int) -> str:
    return table.label(group, names) + (f" ({count} runs)" if count > 1 else "")
