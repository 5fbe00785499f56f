"""`hpcdl data list`, `fetch NAME`, `show NAME` and `show JOB.yaml`: the data sets, staging them,
their options, and a picture of what a job would see of them."""

from __future__ import annotations

import argparse
import dataclasses
import os
from pathlib import Path

from hpc_dl.errors import UserError

HELP = (
    "List the data sets, show the options of one, stage them where compute nodes without internet "
    "find them, and draw what a job would see."
)


def configure(parser: argparse.ArgumentParser) -> None:
    actions = parser.add_subparsers(dest="action", required=True, metavar="list | fetch | show")
    listing = actions.add_parser("list", help="what there is, and what is staged")
    listing.add_argument("--json", action="store_true", help="print JSON")
    fetching = actions.add_parser("fetch", help="download a data set, on a login node")
    fetching.add_argument("name", metavar="NAME")
    fetching.add_argument("--root", help="put it here, for `data.root` of a spec")
    showing = actions.add_parser(
        "show", help="show all options of one, or draw what a job would see"
    )
    showing.add_argument(
        "shown", metavar="NAME | JOB.yaml", help="of `list`, or a job spec to draw"
    )
    showing.add_argument("overrides", nargs="*", metavar="key=value", help="like data.path=a.csv")
    showing.add_argument(
        "-o", "--output", type=Path, metavar="FILE.png", help="by default NAME-data.png, here"
    )
    showing.add_argument("--json", action="store_true", help="print JSON, of NAME")
    for action in (listing, fetching, showing):
        action.add_argument("--site", help="the site whose data folder is meant")


def run(args: argparse.Namespace) -> int:
    from hpc_dl.planning import site as sites

    if args.action == "show":
        return _show(args)
    site = sites.load(args.site, os.environ)
    data_root = sites.expand(site.data_root, os.environ)
    return _fetch(args, data_root) if args.action == "fetch" else _list(args, data_root)


def _show(args: argparse.Namespace) -> int:
    from hpc_dl.cli import source_options

    if source_options.is_name(args.shown):
        return source_options.show(args.shown, for_json=args.json)
    if args.json:
        raise UserError(
            "--json is for the options of a source of data", hint="hpcdl data show NAME --json"
        )
    from hpc_dl.cli import show_data

    return show_data.run(Path(args.shown), args.overrides, args.site, args.output)


def _list(args: argparse.Namespace, data_root: Path) -> int:
    from hpc_dl.cli.common import print_json
    from hpc_dl.data.staging.listing import listing

    rows = listing(data_root)
    if args.json:
        print_json([dataclasses.asdict(row) for row in rows])
        return 0
    from rich.table import Table
    from rich.text import Text

    from hpc_dl.cli.common import console

    table = Table(box=None, padding=(0, 2, 0, 0), header_style="bold")
    for title in ("name", "kind", "task", "examples", "staged", "where", "what it is"):
        table.add_column(title, overflow="fold", justify="right" if title == "examples" else "left")
    for row in rows:
        examples = f"{row.examples:,}" if row.examples else ""
        there = {True: "yes", False: "no", None: ""}[row.staged]
        cells = (row.name, row.kind, row.task, examples, there, row.where, row.about)
        table.add_row(*map(Text, cells))
    console().print(table)
    return 0


def _fetch(args: argparse.Namespace, data_root: Path) -> int:
    from hpc_dl.cli.common import console
    from hpc_dl.data.faults import resolve_home
    from hpc_dl.data.staging.listing import source_to_fetch

    out, name = console(), args.name
    root = None if args.root is None else resolve_home("--root", args.root).absolute()
    source = source_to_fetch(name, data_root, root)
    found = source.staging()
    if found.staged:
        out.print(f"nothing to fetch: {name} is staged already, {found.where}", soft_wrap=True)
        return 0
    out.print(f"Fetching {name}: {found.where}", soft_wrap=True)
    source.fetch()
    out.print(f"{name} is staged", soft_wrap=True)
    return 0
