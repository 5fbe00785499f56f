"""Columns that say which rows are which: their names, and groups that stay together. Light."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from hpc_dl.data.faults import Faults
from hpc_dl.data.splits import holdout
from hpc_dl.data.tables.columns import as_words
from hpc_dl.data.tables.places import Array
from hpc_dl.data.tables.rows import Rows


def row_labels(tables: Mapping[str, Rows], index: str | None) -> Sequence[str | int]:
    """Return the names of the rows of all files in turn: those in the column `index`, or numbers
    from 1 as in the file. None where these are their positions, because no row is left out.

    Raises UserError for a name that several rows of a file have.
    """
    import pandas

    if index is not None:
        return [name for it in tables.values() for name in _unique(it, index)]
    if all(it.frame.index.equals(pandas.RangeIndex(len(it.frame))) for it in tables.values()):
        return ()
    return [number for it in tables.values() for number in (it.frame.index + 1).tolist()]


def find_groups(tables: Mapping[str, Rows], column: str) -> Array:
    """Return the groups of the training rows. Raises UserError where other files share some."""
    named = {name: as_words(it.frame[column]).to_numpy().astype(str) for name, it in tables.items()}
    for name in set(named) - {"train"}:
        holdout.refuse_shared(named["train"], named[name], name)
    return holdout.number_groups(named["train"])


def _unique(rows: Rows, index: str) -> list[str]:
    names = as_words(rows.frame[index])
    counts = names.value_counts()
    faults = Faults(rows.where)
    faults.add(
        f"column '{index}' (data.index) gives several rows the same name",
        [f"'{name}' ({count} rows)" for name, count in counts[counts > 1].items()],
        "Name a column of which each row has its own value; data.groups keeps rows together that "
        "share one.",
    )
    faults.refuse()
    return names.tolist()
