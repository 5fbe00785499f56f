"""Notes for the plan on the columns of a table. Light."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from hpc_dl.data.labels import note_similar_names
from hpc_dl.data.tables.row_numbers import numbers_rows
from hpc_dl.data.tables.rows import Rows
from hpc_dl.errors import first_few
from hpc_dl.jobspec.facts import Column
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
SHOWN = 20
"""How many columns with gaps a note names."""
_IDENTIFIERS = 20
"""From so many rows on, whole numbers that all differ are noted."""


def note_files(tables: Mapping[str, Rows]) -> list[str]:
    """Note how the files were read; of validation and test only what differs."""
    train = tables["train"]
    more = [
        f"in the {name} file {note}"
        for name, other in tables.items()
        if name != "train"
        for note in (*other.notes, *_note_others(train.frame, other.frame))
        if note not in train.notes
    ]
    return [*train.notes, *more]


def _note_others(train: DataFrame, other: DataFrame) -> list[str]:
    """Note the columns of another file that the training does not have."""
    others = [name for name in other.columns if name not in train.columns]
    listed = first_few(map(repr, others))
    return [f"columns that are not trained on are left out: {listed}"] if others else []


def note_columns(train: DataFrame, columns: Sequence[Column], source: Table) -> list[str]:
    """Note constant, giveaway and repeated inputs, and gaps."""
    inputs = [it for it in columns if it.part == "input"]
    targets = [it for it in columns if it.part == "target"]
    notes = [note for it in inputs for note in _note_column(it, targets, train)]
    if all(it.values < len(train) for it in inputs):  # else no row repeats another
        copies = int(_hash(train[[it.name for it in (*inputs, *targets)]]).duplicated().sum())
        if copies:
            notes.append(
                f"rows that repeat another: {copies}; one may be trained on, the other tested"
            )
    if gaps := [f"{it.gaps} in '{it.name}'" for it in inputs if it.gaps]:
        notes.append(f"gaps: {first_few(gaps, SHOWN)}; {_FILLED[source.missing]}")
    return notes


def note_shared(tables: Mapping[str, Rows], columns: Sequence[Column]) -> list[str]:
    """Note how many rows of the other files are among those to train on."""
    names = [it.name for it in columns if it.part in ("input", "target")]
    hashes = {name: _hash(rows.frame[names]) for name, rows in tables.items()}
    shared = {name: int(it.isin(hashes["train"]).sum()) for name, it in hashes.items()}
    return [
        f"rows of the {name} file that are rows to train on, too: {count} of {len(hashes[name])}"
        for name, count in shared.items()
        if count and name != "train"
    ]


def _hash(rows: DataFrame) -> Series[Any]:
    """Return a number for each row, by which rows are compared: `rows.duplicated` is slow."""
    import pandas

    numbers = {name: it for name, it in rows.items() if it.dtype.kind in "iufb"}
    alike = rows.assign(**{str(name): it.astype("float64") for name, it in numbers.items()})
    return pandas.util.hash_pandas_object(alike, index=False)


def _note_column(column: Column, targets: Sequence[Column], train: DataFrame) -> Iterator[str]:
    name, values, all_differ = column.name, train[column.name], column.values == len(train)
    if column.values == 1 and not column.gaps:
        yield f"column '{name}' is the same in all rows: it says nothing"
    elif any(_determines(column, target, train) for target in targets):
        yield f"column '{name}' says all of the target: is it known beforehand?"
    elif all_differ and numbers_rows(values):
        yield f"column '{name}' numbers the rows; data.drop leaves it out"
    elif all_differ and values.dtype.kind in "iu" and len(train) > _IDENTIFIERS:
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


def _determines(column: Column, target: Column, train: DataFrame) -> bool:
    """Return whether values and targets map one to one; not if all targets differ, for then any
    column of distinct values would."""
    import pandas

    if column.values + (column.gaps > 0) != target.values or target.values == len(train):
        return False
    different, classes = (pandas.factorize(train[it.name])[0] for it in (column, target))
    return bool((different == classes).all())
