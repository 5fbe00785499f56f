"""`hpcdl models`: the architectures, and all options of one."""

from __future__ import annotations

import argparse
import dataclasses
from typing import TYPE_CHECKING

from hpc_dl.errors import UserError

if TYPE_CHECKING:
    from hpc_dl.jobspec.base import Spec
    from hpc_dl.jobspec.data import Data
    from hpc_dl.jobspec.model import Model

HELP = "list the architectures, or show all options of one"


def configure(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("name", nargs="?", metavar="NAME", help="show this one in full")
    parser.add_argument("--json", action="store_true", help="print JSON")


def run(args: argparse.Namespace) -> int:
    from hpc_dl.cli.common import print_json

    if args.json:
        from hpc_dl.jobspec.architectures import ZOO

        names = [args.name] if args.name else list(ZOO)
        found = [as_json(name, find(name)) for name in names]
        print_json(found[0] if args.name else found)
    elif args.name:
        _show(args.name, find(args.name))
    else:
        _list()
    return 0


def find(name: str) -> type[Model]:
    """Return the options of an architecture. Raises UserError where there is none of that name."""
    from hpc_dl.jobspec.architectures import ZOO
    from hpc_dl.jobspec.suggestions import closest_name

    if name not in ZOO:
        guess = closest_name("model", name, list(ZOO), [])
        raise UserError(
            f"there is no architecture '{name}'{guess}", hint=f"There are: {', '.join(ZOO)}."
        )
    return ZOO[name]


def first_line(options: type[Spec]) -> str:
    """Return the description of an architecture, on one line."""
    return " ".join((options.__doc__ or "").split("\n\n")[0].split())


def _list() -> None:
    from rich.table import Table
    from rich.text import Text

    from hpc_dl.cli.common import console
    from hpc_dl.jobspec.architectures import ZOO

    table = Table(box=None, padding=(0, 2, 0, 0), header_style="bold")
    for title in ("name", "learns from", "to", "what it is"):
        table.add_column(title, overflow="fold")
    for name, it in ZOO.items():
        cells = (name, ", ".join(it.modalities), _tasks(it), first_line(it))
        table.add_row(*map(Text, cells))
    out = console()
    out.print(table)
    out.print("\nhpcdl models NAME shows the options of one, hpcdl init NAME writes a spec of it")


def _show(name: str, model: type[Model]) -> None:
    from rich.text import Text

    from hpc_dl.cli.common import console
    from hpc_dl.cli.option_table import option_table
    from hpc_dl.verify import recipes

    out = console()
    out.print(Text.assemble((name, "bold"), f": {first_line(model)}"), soft_wrap=True)
    out.print(f"learns from: {', '.join(model.modalities)}; to: {_tasks(model)}\n", soft_wrap=True)
    out.print(option_table(model))
    if recipes.path(name).is_file():
        out.print(f"\nhpcdl init {name} > my.yaml writes a spec of it", soft_wrap=True)


def _tasks(model: type[Model]) -> str:
    """List the tasks of an architecture; generative ones have none."""
    if "none" in model.tasks:
        return "generate or reconstruct examples"
    return ", ".join(task.replace("_", " ") for task in model.tasks)


def as_json(name: str, part: type[Model | Data]) -> dict[str, object]:
    """Return what programs are told of an architecture, or of a source of data."""
    from hpc_dl.jobspec.schema import options

    return {
        "name": name,
        "about": first_line(part),
        "modalities": part.modalities,
        "tasks": part.tasks,
        "options": [dataclasses.asdict(it) for it in options(part)],
    }
