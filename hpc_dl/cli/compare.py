"""`hpcdl compare`: what differs between runs, and their test metrics."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import Any

from hpc_dl.cli import common, out_file
from hpc_dl.comparison import groups as grouping
from hpc_dl.comparison import results, table
from hpc_dl.comparison.groups import Group
from hpc_dl.comparison.results import RunResult
from hpc_dl.errors import UserError
from hpc_dl.run.layout import RunDir

HELP = """Compare runs: the options that differ, and the metrics on the test split. Runs that differ
in their seeds alone (train.seed, data.split_seed, data.fold) are one row, with mean ± sample
standard deviation. Only the run folders are read."""


def configure(parser: argparse.ArgumentParser) -> None:
    common.add_runs(parser)
    form = parser.add_mutually_exclusive_group()
    for option, what in (("--csv", "CSV with all digits"), ("--latex", "a table for LaTeX")):
        where = f"{what}, into FILE; printed without one"
        form.add_argument(option, metavar="FILE", nargs="?", const="-", help=where)
    parser.add_argument("--force", action="store_true", help="replace FILE")


def run(args: argparse.Namespace) -> int:
    name = args.csv or args.latex
    file = Path(name) if name and name != "-" else None
    out_file.check(file, force=args.force)
    groups, notes = grouped(common.chosen_runs(args))
    if args.json:
        common.print_json({"groups": [_to_json(group) for group in groups], "notes": notes})
        return 0
    if name:
        written = table.to_csv(groups) if args.csv else table.to_latex(groups)
        if file:
            file.write_text(written)
        else:
            sys.stdout.write(written)
    else:
        _show(groups)
    sys.stderr.write("".join(f"note: {note}\n" for note in notes))
    return 0


def grouped(runs: list[RunDir]) -> tuple[list[Group], list[str]]:
    """Return runs in groups that differ in more than their seeds, and notes for the user.

    Those whose files are damaged are left out, with a note. Raises UserError where all are.
    """
    read, notes = list[RunResult](), list[str]()
    for one in runs:
        try:
            read.append(results.read(one))
        except UserError as error:
            notes.append(f"{one.id} is left out: {error.message}")
    if not read:
        raise UserError("no run can be read", hint="\n".join(notes))
    groups, more = grouping.group(read)
    return groups, notes + more


def _show(groups: list[Group]) -> None:
    from rich.table import Table
    from rich.text import Text

    head, *rows = table.for_people(groups)
    shown = Table(box=None, padding=(0, 2, 0, 0), header_style="bold")
    for title in head:
        shown.add_column(Text(title), overflow="fold")
    for row in rows:
        shown.add_row(*map(Text, row))
    console = common.console()
    console.print(shown)
    if seeds := grouping.varied_seeds(groups):
        console.print(f"mean ± sample standard deviation over {', '.join(seeds)}", style="dim")
    elif len(groups) > 1 and not grouping.differing(groups):
        console.print("no option differs", style="dim")


def _to_json(group: Group) -> dict[str, Any]:
    means = {name: group.mean(name) for name in grouping.metrics([group])}
    return {
        "options": group.options,
        "runs": [
            {"id": it.run.id, "state": it.state, "seeds": it.seeds, "test": common.finite(it.test)}
            for it in group.results
        ],
        "test": {name: common.finite(mean._asdict()) for name, mean in means.items() if mean},
    }
