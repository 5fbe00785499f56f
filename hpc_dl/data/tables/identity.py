"""Columns that say which rows are which: their names, and groups that stay together. Light."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from hpc_dl.data.faults import Faults
from hpc_dl.data.splits import holdout
from hpc_dl.data.tables.columns import as_words
from hpc_dl.data.tables.places import Array

if TYPE_CHECKING:
    from pandas import DataFrame


def row_labels(frames: Mapping[str, DataFrame], index: str | None) -> Sequence[str | int]:
    """Return the names of the rows of all files in turn: those in the column `index`, or numbers
    from 1 as in the file. None where these are their positions, because no row is left out.

    Raises UserError for a name that several rows of a file have.
    """
    import pandas

    if index is not None:
        return [name for frame in frames.values() for name in _unique(frame, index)]
    if all(it.index.equals(pandas.RangeIndex(len(it))) for it in frames.values()):
        return ()
    return [number for frame in frames.values() for number in (frame.index + 1).tolist()]


def find_groups(frames: Mapping[str, DataFrame], column: str) -> Array:
    """Return the groups of the training rows. Raises UserError where other files share some."""
    named = {name: as_words(frame[column]).to_numpy().astype(str) for name, frame in frames.items()}
    for name in set(named) - {"train"}:
        holdout.refuse_shared(named["train"], named[name], name)
    return holdout.number_groups(named["train"])


def _unique(frame: DataFrame, index: str) -> list[str]:
    names = as_words(frame[index])
    counts = names.value_counts()
    faults = Faults(frame.attrs["file"])
    faults.add(
        f"column '{index}' (data.index) gives several rows the same name",
        [f"'{name}' ({count} rows)" for name, count in counts[counts > 1].items()],
        "Name a column of which each row has its own value; data.groups keeps rows together that "
        "share one.",
    )
    faults.refuse()
    return names.tolist()
