"""Tables in CSV and Parquet files: numbers as they are, one column of 0 and 1 for each word.

Light: without torch, so that the login node can look into a table before it is submitted.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from hpc_dl.data.names import Names
from hpc_dl.data.source import Loaded, Source
from hpc_dl.data.splits import holdout
from hpc_dl.data.splits.counts import Holdout, split_facts
from hpc_dl.data.tables import encoding, gaps, identity, inputs, notes, parts, targets
from hpc_dl.data.tables.files import read_frame
from hpc_dl.data.tables.places import Array
from hpc_dl.jobspec.data import Column, DataFacts
from hpc_dl.jobspec.sources.tables import Csv, Table

if TYPE_CHECKING:
    from pandas import DataFrame

    from hpc_dl.data.dataset import Split

FILES = {"train": "path", "validation": "validation_path", "test": "test_path"}
"""Split → option that names its file."""


class TableSource(Source[Table]):
    """The rows of a CSV or Parquet file; the same for validation and test, if given."""

    def describe(self) -> DataFacts:
        return read(self.options).facts

    def load(self) -> Loaded:
        import torch

        from hpc_dl.data.dataset import Split

        found = read(self.options)
        self._labels = found.labels
        return found.facts, {
            name: Split({key: torch.from_numpy(array) for key, array in split.items()})
            for name, split in found.encoded().items()
        }

    def names(self, splits: Mapping[str, Split]) -> Names:
        return Names("row", tuple(map(len, splits.values())), self._labels)


@dataclass(frozen=True)
class Tables:
    """The files of a source, checked: their frames, classes or numbers to predict, and groups."""

    facts: DataFacts
    frames: Mapping[str, DataFrame]
    answers: Mapping[str, Array]
    groups: Array | None
    labels: Sequence[str | int]
    """The names of all rows, in the order of the splits; none where they are known by number."""

    def encoded(self) -> dict[str, dict[str, Array]]:
        """Return `table` (N, columns), `label` or `target`, and `group`, by split."""
        key = "label" if self.facts.classes else "target"
        splits = {
            name: {"table": encoding.encode(frame, self.facts.raw), key: self.answers[name]}
            for name, frame in self.frames.items()
        }
        if self.groups is not None:
            splits["train"]["group"] = self.groups
        return splits


def read(source: Table) -> Tables:
    """Read the files of a source. Raises UserError with file, row and column of what is wrong."""
    named = parts.find_parts(source)
    keys = {name: key for name, key in FILES.items() if getattr(source, key)}
    given = {name: read_frame(source, key) for name, key in keys.items()}
    wanted = parts.check_names(source, named, *given.values())
    frames = {name: gaps.settle(frame, source, wanted) for name, frame in given.items()}
    columns = inputs.find_columns(frames["train"], named, source.formats)
    groups = identity.find_groups(frames, source.groups) if source.groups else None
    classes, answers = targets.find(source, frames)
    split = split_facts(answers, classes, Holdout.of(source), groups)
    labels = answers["train"] if classes else None
    columns = _filled(source, frames, columns, groups, labels)
    for frame in list(frames.values())[1:]:
        encoding.encode(frame, columns)  # refuses what is not trained on
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
            *notes.note_files(frames),
            *notes.note_columns(frames["train"], columns, source),
            *targets.note(source, frames["train"], answers["train"], classes),
        ),
        **split,
    )
    return Tables(facts, frames, answers, groups, identity.row_labels(frames, source.index))


def _names(columns: Sequence[Column]) -> tuple[str, ...]:
    """Return what the inputs of the network are called."""
    return tuple(name for it in encoding.inputs(columns) for name in encoding.names(it))


def _filled(
    source: Table,
    frames: Mapping[str, DataFrame],
    columns: list[Column],
    groups: Array | None,
    labels: Array | None,
) -> list[Column]:
    """Return the columns with what gaps are filled with, which the training rows alone decide."""
    train = frames["train"]
    if source.missing == "category":
        gaps.refuse_numbers(train, encoding.inputs(columns))
    if source.missing not in ("mean", "median"):
        return columns
    missing = [name for name in ("validation", "test") if name not in frames]
    drawn = holdout.positions(len(train), missing, Holdout.of(source), groups, labels)
    return gaps.fill(train, columns, source.missing, drawn["train"])
