"""Targets of tables: classes, or numbers. Light."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np

from hpc_dl.data.exact import MOST_INTEGER
from hpc_dl.data.faults import Faults
from hpc_dl.data.labels import note_constant_targets, note_similar_names
from hpc_dl.data.tables.columns import as_words, find_kind, is_text, plain
from hpc_dl.data.tables.dates import find_days
from hpc_dl.data.tables.places import Array, show_example, show_value
from hpc_dl.data.tables.rows import Rows
from hpc_dl.data.tables.text_numbers import add_formatted_numbers
from hpc_dl.errors import UserError
from hpc_dl.jobspec.sources.tables import Table

if TYPE_CHECKING:
    from pandas import DataFrame

ROWS_OF_NUMBERS = 4
"""Least number of rows for each class, of many that are numbers."""
FEW_VALUES = 20
"""So many fractions may be classes."""
MOST_CLASSES = 256
"""Up to here words among numbers to predict may have been meant as classes."""
_NO_CLASSES = "hardly classes"
_KINDS = ("boolean", "integer", "floating", "mixed-integer-float", "decimal")
_WORDS = ("string", "mixed-integer")


def find_classes(train: DataFrame, target: str) -> list[str]:
    """Return the names of the classes in the order of their numbers. Raises UserError where the
    values are hardly classes."""
    column, where = train[target], f"data.target: '{target}'"
    kind = find_kind(column)
    if kind not in (*_KINDS, *_WORDS):
        raise UserError(
            f"{where} is of {kind}, such as {show_example(column)}, which are no classes",
            hint="Make words or whole numbers of them.",
        )
    values = (as_words(column) if is_text(column) else column).drop_duplicates()
    regress = "" if kind in _WORDS else "To predict a number: data.task: regress."
    numbers = [it for it in values if isinstance(it, float)]
    odd = [it for it in numbers if it % 1]
    if any(np.isinf(it) for it in numbers):
        raise UserError(f"{where} is infinite in some rows, which is no class", hint=regress)
    if large := [it for it in numbers if abs(it) >= MOST_INTEGER]:
        raise UserError(
            f"{where} has numbers too long to be read beside gaps, such as {large[0]:.0f}",
            hint="Leave the rows with gaps out of the file, or make words of the numbers.",
        )
    if len(values) > FEW_VALUES and odd:
        raise UserError(
            f"{where} has {len(values)} different values, such as {odd[0]}: {_NO_CLASSES}",
            hint=regress,
        )
    names = as_words(values.sort_values()).tolist()
    if len(names) == 1:
        raise UserError(f"{where} is {show_value(names[0])} in all rows: a single class")
    rows_each = 2 if kind in _WORDS else ROWS_OF_NUMBERS
    if len(names) > max(len(train) / rows_each, min(len(train) / 2, FEW_VALUES), 2):
        raise UserError(
            f"{where} has {len(names)} values in {len(train)} rows: {_NO_CLASSES}", hint=regress
        )
    return names


def find(
    source: Table, tables: Mapping[str, Rows], known: Sequence[str] = ()
) -> tuple[Sequence[str], dict[str, Array]]:
    """Return the names of the classes, if any, and by split the class (N,) of each row, or the
    numbers to predict (N, targets). Raises UserError for what is neither, and for classes that are
    none of those `known`, if any are."""
    if source.task == "regress":
        return [], {n: _numbers(it, source.targets, source.formats) for n, it in tables.items()}
    (target,) = source.targets
    return number_classes(tables, target, known)


def number_classes(
    tables: Mapping[str, Rows], target: str, known: Sequence[str] = ()
) -> tuple[Sequence[str], dict[str, Array]]:
    """Return the names of the classes in a column, which may be `known`, and by split the class
    (N,) of each row."""
    classes = known or find_classes(tables["train"].frame, target)
    return classes, {name: _labels(it, target, classes) for name, it in tables.items()}


def note(source: Table, train: DataFrame, answers: Array, classes: Sequence[str]) -> list[str]:
    """Note targets that are constant, names of classes that are nearly the same, and numbers as
    classes."""
    if not classes:
        dates = [it for it in source.targets if it in source.formats]
        return [
            *note_constant_targets(answers, source.targets, "data.target"),
            *(f"'{name}' is predicted in days since 1970-01-01" for name in dates),
        ]
    notes = list(note_similar_names(classes))
    if len(classes) > 2 and not is_text(train[source.targets[0]]):
        notes.append(
            f"the {len(classes)} numbers in '{source.targets[0]}' are classes, without an order; "
            "data.task: regress predicts numbers"
        )
    return notes


def _labels(rows: Rows, target: str, classes: Sequence[str]) -> Array:
    import pandas

    codes, values = pandas.factorize(rows.frame[target])
    names = as_words(pandas.Series(values))
    places = pandas.Index(classes).get_indexer(names)
    counts = np.bincount(codes, minlength=len(values))
    unknown: dict[str, int] = {}
    for place in (places < 0).nonzero()[0]:
        unknown[names[place]] = unknown.get(names[place], 0) + int(counts[place])
    faults = Faults(rows.where)
    faults.add(
        f"classes in '{target}' that no row to train on has",
        [f"{show_value(it)} ({count} row{'s'[: count - 1]})" for it, count in unknown.items()],
        f"The file to train on has {', '.join(classes[:FEW_VALUES])}.",
    )
    faults.refuse()
    found: Array = places[codes].astype(np.int64)
    return found


def _numbers(rows: Rows, targets: Sequence[str], formats: Mapping[str, str]) -> Array:
    faults = Faults(rows.where)
    columns = [_number(rows, name, formats, faults) for name in targets]
    faults.refuse()
    return np.stack(columns, axis=1)


def _number(rows: Rows, name: str, formats: Mapping[str, str], faults: Faults) -> Array:
    if name in formats:
        days: Array = find_days(rows, name, formats[name], faults)[1].to_numpy()
        return days
    kind, values = plain(rows, name, faults) or ("", rows.frame[name].map(lambda _: 0.0))
    if kind != "words":
        found: Array = values.to_numpy()
        return found
    if not add_formatted_numbers(rows, name, values, faults):
        different, first = values.nunique(), show_example(values)
        few = different <= min(MOST_CLASSES, max(len(rows.frame) / 2, 2))
        faults.add(
            "words, where numbers are to be predicted",
            [f"column '{name}' has {different} different ones, such as {first}"],
            "To predict a class: data.task: classify." if few else "Name a column of numbers.",
        )
    return np.zeros(len(rows.frame))
