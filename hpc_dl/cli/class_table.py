"""The classes of the data, with their examples in each split, for people."""

from __future__ import annotations

from hpc_dl.cli.text_columns import align
from hpc_dl.errors import first_few
from hpc_dl.jobspec.facts import DataFacts

MAX_CLASSES = 20
"""How many classes are listed."""
RAREST = 3
"""How many of the rarest are named where not all classes are listed."""


def format_classes(facts: DataFacts) -> str:
    """Return a line for each class, in the order of their numbers; names alone without counts."""
    if not facts.class_counts:
        return first_few(facts.classes, MAX_CLASSES)
    names, left = facts.classes[:MAX_CLASSES], len(facts.classes) - MAX_CLASSES
    columns = [align(["class", *names])]
    for split, counts in facts.class_counts.items():
        columns.append(align([split, *map(str, counts[:MAX_CLASSES])], to_right=True))
    lines = ["  ".join(cells) for cells in zip(*columns, strict=True)]
    return "\n".join([*lines, *([f"and {left} more; {_rarest(facts)}"] if left > 0 else [])])


def _rarest(facts: DataFacts) -> str:
    train = zip(facts.class_counts["train"], facts.classes, strict=True)
    few = sorted(it for it in train if not facts.include_classes or it[1] in facts.include_classes)
    shown = ", ".join(f"'{name}' {count}" for count, name in few[:RAREST])
    return f"the fewest to train on: {shown}"
