"""The classes of the data, with their examples in each split, for people."""

from __future__ import annotations

from collections.abc import Sequence

from rich.cells import cell_len

from hpc_dl.errors import first_few, printable
from hpc_dl.jobspec.data import DataFacts

MAX_CLASSES = 20
"""How many classes are listed."""
MAX_NAME_WIDTH = 30
RAREST = 3
"""How many of the rarest are named where not all classes are listed."""


def format_classes(facts: DataFacts) -> str:
    """Return a line for each class, in the order of their numbers; names alone without counts."""
    if not facts.class_counts:
        return first_few(facts.classes, MAX_CLASSES)
    names, left = facts.classes[:MAX_CLASSES], len(facts.classes) - MAX_CLASSES
    columns = [_column("class", names, to_right=False)]
    for split, counts in facts.class_counts.items():
        columns.append(_column(split, list(map(str, counts[:MAX_CLASSES]))))
    lines = ["  ".join(cells) for cells in zip(*columns, strict=True)]
    return "\n".join([*lines, *([f"and {left} more; {_rarest(facts)}"] if left > 0 else [])])


def _column(head: str, values: Sequence[str], to_right: bool = True) -> list[str]:
    """Return the cells of a column, all of one width but for names that are very long."""
    cells = [head, *map(printable, values)]
    width = min(max(map(cell_len, cells)), MAX_NAME_WIDTH)
    filled = [(cell, " " * (width - cell_len(cell))) for cell in cells]
    return [space + cell if to_right else cell + space for cell, space in filled]


def _rarest(facts: DataFacts) -> str:
    train = zip(facts.class_counts["train"], facts.classes, strict=True)
    few = sorted(it for it in train if not facts.include_classes or it[1] in facts.include_classes)
    shown = (f"'{name}' {count}" for count, name in few[:RAREST])
    return f"the fewest to train on: {first_few(shown)}"
