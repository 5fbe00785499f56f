"""Tables in CSV and Parquet files: numbers as they are, one column of 0 and 1 for each word.

Light: without torch, so that the login node can look into a table before it is submitted.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from hpc_dl.data.names import Names
from hpc_dl.data.source import Fitted, Loaded, Source
from hpc_dl.data.splits import holdout
from hpc_dl.data.splits.counts import Holdout, split_facts
from hpc_dl.data.tables import encoding, gaps, identity, inputs, notes, parts, targets
from hpc_dl.data.tables.files import read_rows
from hpc_dl.data.tables.places import Array
from hpc_dl.data.tables.rows import Rows
from hpc_dl.jobspec.facts import Column, DataFacts
from hpc_dl.jobspec.sources.tables import Csv, Table

if TYPE_CHECKING:
    from hpc_dl.data.dataset import Split

FILES = {"train": "path", "validation": "validation_path", "test": "test_path"}
"""Split → option that names its file."""


class TableSource(Source[Table]):
    """The rows of a CSV or Parquet file; the same for validation and test, if given."""

    def describe(self) -> DataFacts:
        return read(self.options, self.fitted).facts

    def load(self) -> Loaded:
        import torch

        from hpc_dl.data.dataset import Split

        found = read(self.options, self.fitted)
        self._labels = found.labels
        return found.facts, {
            name: Split({key: torch.from_numpy(array) for key, array in split.items()})
            for name, split in found.encoded().items()
        }

    def names(self, splits: Mapping[str, Split]) -> Names:
        return Names("row", tuple(map(len, splits.values())), self._labels)


@dataclass(frozen=True)
class Tables:
    """The files of a source, checked: their rows, classes or numbers to predict, and groups."""

    facts: DataFacts
    rows: Mapping[str, Rows]
    answers: Mapping[str, Array]
    groups: Array | None
    labels: Sequence[str | int]
    """The names of all rows, in the order of the splits; none where they are known by number."""

    def encoded(self) -> dict[str, dict[str, Array]]:
        """Return `table` (N, columns), `label` or `target`, and `group`, by split."""
        key = "label" if self.facts.classes else "target"
        splits = {
            name: {"table": encoding.encode(it, self.facts.raw), key: self.answers[name]}
            for name, it in self.rows.items()
        }
        if self.groups is not None:
            splits["train"]["group"] = self.groups
        return splits


def read(source: Table, fitted: Fitted | None = None) -> Tables:
    """Read the files of a source. Raises UserError with file, row and column of what is wrong.

    Columns and classes are those that were `fitted`, if any were.
    """
    known = fitted.facts if fitted and fitted.facts.raw else None
    named = parts.find_parts(source)
    keys = {name: key for name, key in FILES.items() if getattr(source, key)}
    given = {name: read_rows(source, key) for name, key in keys.items()}
    if known:
        for it in given.values():
            encoding.check_names(it, known.raw)
    wanted = parts.check_names(source, named, *given.values())
    rows = {name: gaps.settle(it, source, wanted) for name, it in given.items()}
    train = rows["train"].frame
    columns = (
        list(known.raw)
        if known
        else inputs.find_columns(rows["train"], named, source.formats, source.categories)
    )
    groups = identity.find_groups(rows, source.groups) if source.groups else None
    classes, answers = targets.find(source, rows, known.classes if known else ())
    split = split_facts(answers, () if known else classes, Holdout.of(source), groups)
    if not known:
        labels = answers["train"] if classes else None
        columns = _filled(source, rows, columns, groups, labels)
    for other in list(rows.values())[0 if known else 1 :]:
        encoding.encode(other, columns)  # refuses what is not trained on
    facts = DataFacts.of(
        "table",
        source.task,
        (len(made := _names(columns)),),
        tuple(classes),
        targets=() if classes else tuple(source.targets),
        columns=made,
        raw=tuple(columns),
        csv=source.of_csv if isinstance(source, Csv) else {},
        notes=(
            *notes.note_files(rows),
            *notes.note_columns(train, columns, source),
            *(notes.note_shared(rows, columns) if len(rows) > 1 else ()),
            *targets.note(source, train, answers["train"], classes),
        ),
        **split,
    )
    return Tables(facts, rows, answers, groups, identity.row_labels(rows, source.index))


def _names(columns: Sequence[Column]) -> tuple[str, ...]:
    """Return what the inputs of the network are called."""
    return tuple(name for it in encoding.inputs(columns) for name in encoding.names(it))


def _filled(
    source: Table,
    rows: Mapping[str, Rows],
    columns: list[Column],
    groups: Array | None,
    labels: Array | None,
) -> list[Column]:
    """Return the columns with what gaps are filled with, which the training rows alone decide."""
    train = rows["train"]
    if source.missing == "category":
        gaps.refuse_numbers(train, encoding.inputs(columns))
    if source.missing not in ("mean", "median"):
        return columns
    missing = [name for name in ("validation", "test") if name not in rows]
    drawn = holdout.positions(len(train.frame), missing, Holdout.of(source), groups, labels)
    return gaps.fill(train, columns, source.missing, drawn["train"])
