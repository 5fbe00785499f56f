"""Tables in files as arrays: numbers as they are, and each word of a column as a column of 0 and 1.

Light: without torch, so that the login node can look into a table before it is submitted.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from difflib import get_close_matches
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from hpc_dl.data import holdout
from hpc_dl.data.counts import Holdout, group_count, split_counts
from hpc_dl.errors import UserError
from hpc_dl.spec.data import DataFacts
from hpc_dl.spec.sources import Csv, Table

if TYPE_CHECKING:
    from pandas import DataFrame, Series

Array = np.ndarray[tuple[int, ...], np.dtype[Any]]
Frames = Mapping[str, "DataFrame"]
"""The rows of each split that has a file."""

MOST_WORDS = 256
"""Of a column; with more they are hardly categories."""


def read(source: Table) -> tuple[DataFacts, dict[str, dict[str, Array]]]:
    """What is known of a table, and its splits: `table` (N, columns), and `label` or `target`.

    Raises UserError with the file, the row and the column of what is wrong.
    """
    files = {"train": source.path, "validation": source.validation_path, "test": source.test_path}
    frames = {name: _frame(source, path) for name, path in files.items() if path is not None}
    targets = [source.target] if isinstance(source.target, str) else source.target
    grouping = [source.groups] if source.groups else []
    _refuse_absent(frames["train"], grouping, "data.groups: ")
    names = _inputs(frames["train"], targets, [*source.drop, *grouping])
    for frame in frames.values():
        _refuse_gaps(frame, [*names, *targets, *grouping])
    groups = _groups(frames, source.groups) if source.groups else None
    words = {name: _words(frames, name) for name in names if not _is_number(frames, name)}
    sizes = split_counts({n: len(f) for n, f in frames.items()}, Holdout.of(source), groups)
    columns = tuple(column for name in names for column in _columns(name, words.get(name)))
    classes = _classes(frames, targets) if source.task == "classify" else []
    facts = DataFacts(
        "table",
        source.task,
        (len(columns),),
        tuple(map(str, classes)),
        *sizes,
        targets=() if classes else tuple(targets),
        columns=columns,
        groups=group_count(groups),
    )
    splits = {}
    for name, frame in frames.items():
        said = (
            {"label": _labels(frame[targets[0]], classes)}
            if classes
            else {"target": _targets(frames, frame, targets)}
        )
        splits[name] = {"table": _encoded(frame, names, words), **said}
    if groups is not None:
        splits["train"]["group"] = groups
    return facts, splits


def _frame(source: Table, path: str) -> DataFrame:
    """A file as it is. Raises UserError where it is none, or has no rows."""
    import pandas

    file = Path(path).expanduser()
    if not file.is_file():
        raise UserError(f"data.path: there is no file {file}")
    load = pandas.read_csv if isinstance(source, Csv) else pandas.read_parquet
    try:
        frame = load(file)
    except (OSError, ValueError) as error:  # of which those of pandas and pyarrow are kinds
        raise UserError(f"data.path: {file} is no readable {source.name}: {error}") from None
    if frame.empty:
        raise UserError(f"data.path: {file} has no rows")
    frame.attrs["file"] = str(file)
    return frame


def _inputs(train: DataFrame, targets: Sequence[str], drop: Sequence[str]) -> list[str]:
    """The columns that are looked at. Raises UserError for a named one that is not there."""
    for key, wanted in (("target", targets), ("drop", drop)):
        _refuse_absent(train, wanted, f"data.{key}: ")
    names = [str(name) for name in train.columns if name not in {*targets, *drop}]
    if not names:
        raise UserError(f"data.path: {train.attrs['file']} has no column beside the target")
    return names


def _refuse_absent(frame: DataFrame, wanted: Sequence[str], key: str = "data.path: ") -> None:
    there = list(map(str, frame.columns))
    for name in wanted:
        if name not in there:
            near = get_close_matches(name, there, 3)
            guess = f"Did you mean {' or '.join(near)}?" if near else f"It has: {', '.join(there)}."
            raise UserError(f"{key}{frame.attrs['file']} has no column '{name}'", hint=guess)


def _refuse_gaps(frame: DataFrame, names: Sequence[str]) -> None:
    """Raise UserError for the first value of these columns that is missing or infinite."""
    _refuse_absent(frame, names)
    for name in names:
        column = frame[name]
        bad = column.isna()
        if column.dtype.kind == "f":
            bad |= np.isinf(column)
        if bad.any():
            row = int(bad.to_numpy().argmax())
            raise UserError(
                f"{_place(frame, row, name)} is {column.iloc[row]}",
                hint="Fill it in, leave the row out, or the column: data.drop.",
            )


def _place(frame: DataFrame, row: int, name: str) -> str:
    return f"data.path: {frame.attrs['file']}: row {row + 1} after the header, column '{name}'"


def _groups(frames: Frames, column: str) -> Array:
    """Which training rows are to stay together. Raises UserError where other files have some."""
    named = {name: frame[column].astype(str).to_numpy() for name, frame in frames.items()}
    for name in set(named) - {"train"}:
        holdout.refuse_shared(named["train"], named[name], name)
    return holdout.codes(named["train"].astype(str))


def _is_number(frames: Frames, name: str) -> bool:
    """Whether a column is of numbers in all files; truth counts as 0 and 1."""
    return all(frame[name].dtype.kind in "iufb" for frame in frames.values())


def _words(frames: Frames, name: str) -> list[str]:
    """The different words of a column. Raises UserError where they are hardly categories."""
    import pandas

    found: set[str] = set()
    for frame in frames.values():
        column = frame[name]
        if column.dtype.kind in "mM":
            raise UserError(
                f"data.path: {frame.attrs['file']}: column '{name}' is of times",
                hint="Make numbers of them, or leave them out: data.drop.",
            )
        numbers = pandas.to_numeric(column, errors="coerce")
        if len(column) / 2 < numbers.notna().sum() < len(column):
            row = int(numbers.isna().to_numpy().argmax())
            raise UserError(f"{_place(frame, row, name)} is no number: {column.iloc[row]!r}")
        found |= set(column.astype(str))
    if len(found) > MOST_WORDS:
        raise UserError(
            f"data.path: column '{name}' has {len(found)} different words, which are hardly "
            "categories",
            hint="Leave it out: data.drop.",
        )
    return sorted(found)


def _columns(name: str, words: Sequence[str] | None) -> list[str]:
    """What becomes of a column: itself, or one for each of its words."""
    return [name] if words is None else [f"{name}={word}" for word in words]


def _encoded(frame: DataFrame, names: Sequence[str], words: Mapping[str, Sequence[str]]) -> Array:
    """The inputs (N, columns) float32."""
    parts = [
        frame[name].astype(str).to_numpy()[:, None] == np.array(words[name], dtype=object)
        if name in words
        else frame[name].to_numpy()[:, None]
        for name in names
    ]
    return np.concatenate([part.astype(np.float32) for part in parts], axis=1)


def _classes(frames: Frames, targets: Sequence[str]) -> list[Any]:
    """The values of the target, sorted. Raises UserError where they are hardly classes."""
    if len(targets) > 1:
        raise UserError("data.target: an example has one class, in one column")
    values = [frame[targets[0]] for frame in frames.values()]
    if not _is_number(frames, targets[0]):
        values = [column.astype(str) for column in values]
    found = sorted({value for column in values for value in column.tolist()})
    rows = sum(map(len, values))
    if len(found) > max(rows / 2, 2):
        raise UserError(
            f"data.target: '{targets[0]}' has {len(found)} values in {rows} rows: hardly classes",
            hint="To foretell a number: data.task: regress.",
        )
    return found


def _labels(column: Series[Any], classes: Sequence[Any]) -> Array:
    numbers = {value: number for number, value in enumerate(classes)}
    as_words = isinstance(classes[0], str)
    values = (column.astype(str) if as_words else column).tolist()
    return np.array([numbers[value] for value in values], dtype=np.int64)


def _targets(frames: Frames, frame: DataFrame, names: Sequence[str]) -> Array:
    for name in names:
        if not _is_number(frames, name):
            raise UserError(
                f"data.target: column '{name}' is of words, and numbers are to be foretold",
                hint="To tell classes: data.task: classify.",
            )
    return frame[list(names)].to_numpy().astype(np.float32)
