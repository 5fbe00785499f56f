"""Notes for the plan on the columns of a table. Light."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from hpc_dl.data.labels import note_similar_names
from hpc_dl.data.tables.row_numbers import numbers_rows
from hpc_dl.jobspec.data import Column
from hpc_dl.jobspec.sources.tables import Table

if TYPE_CHECKING:
    from pandas import DataFrame, Series

_FILLED = {
    "indicator": "each of these columns has another beside it that says what is missing, and a "
    "number that is missing counts as the mean",
    "category": "what is missing is a category of its own",
    "mean": "filled with the mean of the training rows; of words they are a category of their own",
    "median": "filled with the median of the training rows; of words they are a category of their "
    "own",
}
"""By `data.missing`, what becomes of gaps."""
_IDENTIFIERS = 20
"""From so many rows on, whole numbers that all differ are noted."""


def note_files(frames: Mapping[str, DataFrame]) -> list[str]:
    """Note how the files were read; of validation and test only what differs."""
    train = frames["train"].attrs["notes"]
    others = {name: frame.attrs["notes"] for name, frame in frames.items() if name != "train"}
    more = [
        f"in the {name} file {note}"
        for name, notes in others.items()
        for note in notes
        if note not in train
    ]
    return [*train, *more]


def note_columns(train: DataFrame, columns: Sequence[Column], source: Table) -> list[str]:
    """Note constant, giveaway and repeated inputs, and gaps."""
    inputs = [it for it in columns if it.part == "input"]
    notes = [
        note for it in inputs for note in _note_column(it, train[it.name], train[source.targets])
    ]
    looked_at = [*(it.name for it in inputs), *source.targets]
    if copies := int(train[looked_at].duplicated().sum()):
        notes.append(f"rows that repeat another: {copies}; one may be trained on, the other tested")
    if gaps := [f"{it.gaps} in '{it.name}'" for it in inputs if it.gaps]:
        notes.append(f"gaps: {', '.join(gaps)}; {_FILLED[source.missing]}")
    return notes


def _note_column(column: Column, values: Series[Any], targets: DataFrame) -> Iterator[str]:
    name = column.name
    if column.values == 1 and not column.gaps:
        yield f"column '{name}' is the same in all rows: it says nothing"
    elif any(_determines(values, targets[target]) for target in targets):
        yield f"column '{name}' says all of the target: is it known beforehand?"
    elif numbers_rows(values):
        yield f"column '{name}' numbers the rows; data.drop leaves it out"
    elif column.type == "number" and _identifies(values):
        yield f"column '{name}' is another whole number in each row: is it a name (data.index)?"
    if column.type == "date":
        yield f"column '{name}' is the days since 1970-01-01" + (
            f", read as {column.format}" if column.format else ""
        )
    yield from note_similar_names(column.words, f"words of column '{name}':")
    yield from _note_numbers(column)


def _note_numbers(column: Column) -> list[str]:
    """Note words some of which are numbers, all of which are categories."""
    numbers = [word for word in column.words if word.replace(".", "", 1).lstrip("+-").isdecimal()]
    if not numbers:
        return []
    others = [word for word in column.words if word not in numbers]
    shown = ", ".join(map(repr, (*numbers[:2], *others[:2])))
    return [f"column '{column.name}' is of categories, some of which are numbers: {shown}"]


def _identifies(values: Series[Any]) -> bool:
    """Return whether whole numbers differ in all of many rows."""
    return len(values) > _IDENTIFIERS and values.dtype.kind in "iu" and values.is_unique


def _determines(values: Series[Any], target: Series[Any]) -> bool:
    """Return whether values and targets map one to one; not if all targets differ, for then any
    column of distinct values would."""
    import pandas

    different, classes = (pandas.factorize(it)[0] for it in (values, target))
    return bool((different == classes).all()) and len(set(classes.tolist())) < len(classes)
