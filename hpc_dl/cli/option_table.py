"""A table of the options of a part of a spec: default, what it takes, what it means."""

from __future__ import annotations

from rich.table import Table
from rich.text import Text

from hpc_dl.jobspec.base import Spec
from hpc_dl.jobspec.schema import options, to_yaml


def option_table(part: type[Spec]) -> Table:
    """Return a row for each option, but for the name by which the part is chosen."""
    table = Table(box=None, padding=(0, 2, 0, 0), header_style="bold")
    for title in ("option", "default", "takes", "what it means"):
        table.add_column(title, overflow="fold")
    for it in options(part):
        default = "(needed)" if it.required else to_yaml(it.default)
        table.add_row(*map(Text, (it.name, default, it.takes, it.about)))
    return table
