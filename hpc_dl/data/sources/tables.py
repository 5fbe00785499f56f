"""Tables in CSV and Parquet files: numbers as they are, one column of 0 and 1 for each word.

Light: without torch, so that the login node can look into a table before it is submitted.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from hpc_dl.data import holdout
from hpc_dl.data.counts import Holdout, group_count, split_counts
from hpc_dl.data.labels import note_constant_targets, note_similar_names
from hpc_dl.data.names import Names
from hpc_dl.data.source import Loaded, Source
from hpc_dl.data.tables import encoding
from hpc_dl.data.tables.absent import refuse_absent
from hpc_dl.data.tables.columns import as_words, is_text, place, plain, refuse_formatted_numbers
from hpc_dl.data.tables.files import read_frame
from hpc_dl.data.tables.row_numbers import numbers_rows
from hpc_dl.errors import UserError
from hpc_dl.jobspec.data import Column, DataFacts
from hpc_dl.jobspec.sources.tables import Csv, Table

if TYPE_CHECKING:
    from pandas import DataFrame, Series

    from hpc_dl.data.dataset import Split

Array = np.ndarray[tuple[int, ...], np.dtype[Any]]

MOST_WORDS = 256
"""Most different words of a column of categories."""
FEW_WORDS = 20
"""Up to so many, all words of a column may differ."""


class TableSource(Source[Table]):
    """The rows of a CSV or Parquet file; the same for validation and test, if given."""

    def describe(self) -> DataFacts:
        return read(self.options)[0]

    def load(self) -> Loaded:
        import torch

        from hpc_dl.data.dataset import Split

        facts, rows = read(self.options)
        return facts, {
            name: Split({key: torch.from_numpy(array) for key, array in split.items()})
            for name, split in rows.items()
        }

    def names(self, splits: Mapping[str, Split]) -> Names:
        return Names("row", tuple(map(len, splits.values())))


def read(source: Table) -> tuple[DataFacts, dict[str, dict[str, Array]]]:
    """Return the facts of a table, and its splits: `table` (N, columns), and `label` or `target`.

    Raises UserError with the file, the row and the column of what is wrong.
    """
    files = {"train": "path", "validation": "validation_path", "test": "test_path"}
    frames = {name: read_frame(source, key) for name, key in files.items() if getattr(source, key)}
    train, targets = frames["train"], _targets_of(source)
    columns = _columns(train, targets, source.drop, source.groups)
    inputs = encoding.inputs(columns)
    aside = [source.groups] if source.groups else []
    for frame in frames.values():
        refuse_absent(frame, [*(it.name for it in inputs), *targets, *aside])
        _refuse_gaps(frame, targets, "a target")
        _refuse_gaps(frame, aside, "a group")
    groups = _groups(frames, source.groups) if source.groups else None
    sizes = split_counts({n: len(f) for n, f in frames.items()}, Holdout.of(source), groups)
    classes = _classes(frames, targets[0]) if source.task == "classify" else []
    answers = {name: _answers(frame, targets, classes) for name, frame in frames.items()}
    about = (
        _note_classes(classes, targets[0])
        if classes
        else note_constant_targets(answers["train"]["target"], targets, "data.target")
    )
    made = tuple(name for column in inputs for name in encoding.names(column))
    facts = DataFacts.of(
        "table",
        source.task,
        (len(made),),
        tuple(map(str, classes)),
        *sizes,
        targets=() if classes else tuple(targets),
        columns=made,
        raw=tuple(columns),
        csv=source.of_csv if isinstance(source, Csv) else {},
        groups=group_count(groups),
        notes=(*_note_files(frames), *_notes(train, inputs, targets), *about),
    )
    splits = {
        name: {"table": encoding.encode(frame, columns), **answers[name]}
        for name, frame in frames.items()
    }
    if groups is not None:
        splits["train"]["group"] = groups
    return facts, splits


def _answers(frame: DataFrame, targets: Sequence[str], classes: Sequence[Any]) -> dict[str, Array]:
    """Return the class of each row, or its regression targets."""
    if classes:
        return {"label": _labels(frame[targets[0]], classes)}
    return {"target": _numbers_of(frame, targets)}


def _note_classes(classes: Sequence[Any], target: str) -> list[str]:
    """Note names of classes that are nearly the same, and numbers that have an order."""
    notes = list(note_similar_names(map(str, classes)))
    if len(classes) > 2 and not isinstance(classes[0], str):
        notes.append(
            f"the {len(classes)} numbers in '{target}' are classes, without an order; data.task: "
            "regress predicts numbers"
        )
    return notes


def _note_files(frames: Mapping[str, DataFrame]) -> list[str]:
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


def _targets_of(source: Table) -> list[str]:
    """Return the columns to predict. Raises UserError where one is also named elsewhere."""
    targets = [source.target] if isinstance(source.target, str) else list(source.target)
    for name in targets:
        if targets.count(name) > 1 or name in source.drop:
            where = "in data.drop, too" if name in source.drop else "several times"
            raise UserError(f"data.target: '{name}' is named {where}")
    if source.task == "classify" and len(targets) > 1:
        raise UserError("data.target: an example has one class, in one column")
    return targets


def _columns(
    train: DataFrame, targets: Sequence[str], drop: Sequence[str], groups: str | None
) -> list[Column]:
    """Return all columns of the file. Raises UserError for a named one that is not there."""
    aside = {**dict.fromkeys(drop, "dropped"), **dict.fromkeys(targets, "target")}
    refuse_absent(train, targets, "data.target")
    refuse_absent(train, drop, "data.drop")
    if groups:
        refuse_absent(train, [groups], "data.groups")
        if groups in targets:
            raise UserError(f"data.groups: '{groups}' is the target")
        aside[groups] = "group"
    if not set(train.columns) - set(aside):
        raise UserError(f"{train.attrs['file']} has no column beside the target")
    return [
        _set_aside(train, name, aside[name]) if name in aside else _input(train, name)
        for name in train.columns
    ]


def _set_aside(train: DataFrame, name: str, part: Any) -> Column:
    column = train[name]
    kind: Any = "words" if is_text(column) else "bool" if column.dtype.kind == "b" else "number"
    different = (as_words(column) if kind == "words" else column).nunique()
    return Column(name, part, kind, int(different), int(column.isna().sum()))


def _input(train: DataFrame, name: str) -> Column:
    """Return an input column. Raises UserError for words that are hardly categories."""
    kind, values = plain(train, name)
    different, gaps = int(values.nunique()), int(values.isna().sum())
    if kind != "words":
        return Column(name, "input", kind, different, gaps)
    refuse_formatted_numbers(train, name, values)
    if different > MOST_WORDS or different > max(0.9 * (len(train) - gaps), FEW_WORDS):
        shown = ", ".join(repr(word) for word in values.dropna().unique()[:3])
        raise UserError(
            f"{train.attrs['file']}: column '{name}' has {different} different words, which are "
            f"hardly categories: {shown}",
            hint="Leave it out: data.drop.",
        )
    return Column(name, "input", kind, different, gaps, tuple(sorted(values.dropna().unique())))


def _refuse_gaps(frame: DataFrame, columns: Sequence[str], what: str) -> None:
    """Raise UserError for the first value that is missing in columns that need all."""
    for name in columns:
        missing = as_words(frame[name]).isna().to_numpy()
        if missing.any():
            raise UserError(
                f"{place(frame, int(missing.argmax()), name)}, {what}, is missing",
                hint="Fill it in, or leave the row out. In CSV files words such as None, NA and "
                "null are gaps, too.",
            )


def _notes(train: DataFrame, inputs: Sequence[Column], targets: Sequence[str]) -> list[str]:
    """Note constant, giveaway and repeated inputs, and gaps."""
    notes = []
    for column in inputs:
        values, name = train[column.name], column.name
        if column.values == 1 and not column.gaps:
            notes.append(f"column '{name}' is the same in all rows: it says nothing")
        elif any(_determines(values, train[target]) for target in targets):
            notes.append(f"column '{name}' says all of the target: is it known beforehand?")
        elif numbers_rows(values):
            notes.append(f"column '{name}' numbers the rows; data.drop leaves it out")
        notes += note_similar_names(column.words, f"words of column '{name}':")
    looked_at = [*(it.name for it in inputs), *targets]
    if copies := int(train[looked_at].duplicated().sum()):
        notes.append(f"rows that repeat another: {copies}; one may be trained on, the other tested")
    if missing := [f"{it.gaps} in '{it.name}'" for it in inputs if it.gaps]:
        notes.append(
            f"gaps: {', '.join(missing)}; each of these columns has another beside it that says "
            "what is missing, and a number that is missing counts as the mean"
        )
    return notes


def _groups(frames: Mapping[str, DataFrame], column: str) -> Array:
    """Return the groups of the training rows. Raises UserError where other files share some."""
    named = {name: _named(frame[column]) for name, frame in frames.items()}
    for name in set(named) - {"train"}:
        holdout.refuse_shared(named["train"], named[name], name)
    return holdout.number_groups(named["train"])


def _named(groups: Series[Any]) -> Array:
    """Return the names of groups, (N,): 3 and 3.0 are the same, and blanks are stripped."""
    if groups.dtype.kind == "f":
        groups = groups.map("{:.17g}".format)
    return as_words(groups).to_numpy().astype(str)


def _determines(values: Series[Any], target: Series[Any]) -> bool:
    """Return whether values and targets map one to one; not if all targets differ, for then any
    column of distinct values would."""
    import pandas

    different, classes = (pandas.factorize(it)[0] for it in (values, target))
    return bool((different == classes).all()) and len(set(classes.tolist())) < len(classes)


def _classes(frames: Mapping[str, DataFrame], target: str) -> list[Any]:
    """Return the values of the target, sorted. Raises UserError where they are hardly classes."""
    values = [frame[target] for frame in frames.values()]
    if any(is_text(column) for column in values):
        values = [as_words(column) for column in values]
    found = sorted({value for column in values for value in column.tolist()})
    rows = sum(map(len, values))
    _refuse_no_classes(found, target)
    if len(found) == 1:
        raise UserError(f"data.target: '{target}' is {found[0]!r} in all rows: a single class")
    if len(found) > max(rows / 2, 2):
        raise UserError(
            f"data.target: '{target}' has {len(found)} values in {rows} rows: hardly classes",
            hint="To predict a number: data.task: regress.",
        )
    return found


def _refuse_no_classes(found: Sequence[Any], target: str) -> None:
    """Raise UserError for many fractions, and for times, which are no classes."""
    fractions = [it for it in found if isinstance(it, float) and it % 1]
    if len(found) > FEW_WORDS and fractions:
        raise UserError(
            f"data.target: '{target}' has {len(found)} different values, such as {fractions[0]}: "
            "hardly classes",
            hint="To predict a number: data.task: regress.",
        )
    if not isinstance(found[0], str | int | float):
        raise UserError(
            f"data.target: '{target}' has values such as {found[0]}, which are no classes",
            hint="Make words or whole numbers of them.",
        )


def _labels(column: Series[Any], classes: Sequence[Any]) -> Array:
    numbers = {value: number for number, value in enumerate(classes)}
    values = (as_words(column) if isinstance(classes[0], str) else column).tolist()
    return np.array([numbers[value] for value in values], dtype=np.int64)


def _numbers_of(frame: DataFrame, targets: Sequence[str]) -> Array:
    """Return the targets (N, targets). Raises UserError for one that is of words."""
    found = []
    for name in targets:
        kind, values = plain(frame, name)
        if kind == "words":
            refuse_formatted_numbers(frame, name, values)
            raise UserError(
                f"data.target: column '{name}' is of words, and numbers are to be predicted",
                hint="To predict a class: data.task: classify.",
            )
        found.append(values.to_numpy())
    return np.stack(found, axis=1)
