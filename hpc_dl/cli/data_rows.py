"""What is known of the data, line by line, in the plan and beside a picture of them."""

from __future__ import annotations

from collections.abc import Iterator

from hpc_dl.cli.class_table import format_classes
from hpc_dl.cli.text_columns import align
from hpc_dl.data.splits import description
from hpc_dl.errors import printable
from hpc_dl.jobspec.data import Data
from hpc_dl.jobspec.facts import Column, DataFacts
from hpc_dl.jobspec.units import count

MAX_COLUMNS = 40
"""How many columns of a data table are listed."""
COLUMN_TYPES = {"bool": "true/false"}
"""Types of columns for people, where they have another name in the facts."""


def rows(data: Data, facts: DataFacts, data_root: str) -> list[tuple[str, str]]:
    """Return sizes, classes, columns and splits as names and values."""
    return [
        ("data", _sizes(data, facts, data_root)),
        *([("classes", format_classes(facts))] if facts.classes else []),
        *([("columns", _columns(facts.raw))] if facts.raw else []),
        *([("split", description.describe(data, facts))] if data.drawn else []),
    ]


def _sizes(data: Data, facts: DataFacts, data_root: str) -> str:
    shape = " x ".join(map(str, facts.shape))
    classes = f", {count(len(facts.classes), 'class', 'es')}" if facts.classes else ""
    staged = ""
    if "root" in type(data).model_fields:
        folder = getattr(data, "root", None) or f"{data_root}/{data.name}"
        staged = f"; staged in {folder}"
    return (
        f"{data.name}: {count(facts.train, 'training example')}, {facts.validation} "
        f"validation, {facts.test} test; {facts.modality} {shape}{classes}{staged}"
    )


def _columns(raw: tuple[Column, ...]) -> str:
    """List the columns of a table's file, one a line, with type, values, gaps and range."""
    listed = raw[:MAX_COLUMNS]
    columns = [
        align([it.name for it in listed]),
        align([it.part for it in listed]),
        align([COLUMN_TYPES.get(it.type, it.type) for it in listed]),
        [printable(", ".join(_about_column(it))) for it in listed],
    ]
    lines = ["  ".join(cells) for cells in zip(*columns, strict=True)]
    more = [f"and {len(raw) - MAX_COLUMNS} more"] if len(raw) > MAX_COLUMNS else []
    return "\n".join(map(str.rstrip, lines + more))


def _about_column(column: Column) -> Iterator[str]:
    """Yield how many values and gaps a column has, and what its values are."""
    if column.values:
        yield count(column.values, "value")
    if column.summary:
        yield column.summary
    if column.gaps:
        filled = f" filled with {column.fill:.4g}" if column.fill is not None else ""
        yield count(column.gaps, "gap") + filled
