"""Gaps of tables: refused, left out with their rows, or filled in. Light."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace

import numpy as np

from hpc_dl.data.faults import Faults
from hpc_dl.data.tables import encoding
from hpc_dl.data.tables.columns import LEAVE_OUT, WITHOUT_VALUE, is_gap
from hpc_dl.data.tables.places import Array, list_rows
from hpc_dl.data.tables.rows import Rows
from hpc_dl.errors import UserError, first_few
from hpc_dl.jobspec.facts import Column
from hpc_dl.jobspec.sources.tables import Table, TableFiles

_AN_INPUT = (
    "Fill them in, or let data.missing say what to do: indicator, drop, mean, median, category."
)
OR_DROP = "Fill them in; data.missing: drop leaves such rows out."
_ASIDE = "Fill them in, or leave these rows out of the file."


def settle(rows: Rows, source: Table, inputs: Sequence[str]) -> Rows:
    """Return the rows to use: all, or with `data.missing: drop` those without gaps.

    Raises UserError with the gaps of all columns that may have none.
    """
    needed = {
        **dict.fromkeys(source.targets, ("a target", OR_DROP)),
        **(dict.fromkeys(inputs, ("an input", _AN_INPUT)) if source.missing == "refuse" else {}),
    }
    left_out = [*inputs, *source.targets] if source.missing == "drop" else []
    return without_gaps(rows, source, needed, left_out)


def without_gaps(
    rows: Rows, source: TableFiles, needed: Mapping[str, tuple[str, str]], left_out: Sequence[str]
) -> Rows:
    """Return the rows that have a value in the columns `left_out`.

    Raises UserError with the gaps of the columns `needed`, by name what they are and what to do,
    and of those that name and group rows.
    """
    rows = _leave_out(rows, left_out) if left_out else rows
    named = {
        **needed,
        **({source.groups: ("a group", _ASIDE)} if source.groups else {}),
        **({source.index: ("the name of a row", _ASIDE)} if source.index else {}),
    }
    faults = Faults(rows.where)
    for name, (what, hint) in named.items():
        missing = is_gap(rows.frame[name])
        gaps = f"{missing.sum()} gap{'s' if missing.sum() > 1 else ''}"
        about = f"column '{name}', {what}, has {gaps}"
        faults.add(about, list_rows(rows, missing), f"{hint}{_read_as_gaps(rows, name)}")
    faults.refuse()
    return rows


def _read_as_gaps(rows: Rows, name: str) -> str:
    """Return which words of a CSV column are read as gaps, and the option that decides."""
    words = rows.gap_words.get(name)
    if not words:
        return ""
    return f" {first_few(map(repr, words))} is read as a gap; not by data.keep_default_na: false."


def refuse_numbers(rows: Rows, columns: Sequence[Column]) -> None:
    """Raise UserError for columns of numbers with gaps, which are no category."""
    wrong = [it for it in columns if it.gaps and it.type != "words"]
    faults = Faults(rows.where)
    faults.add(
        "gaps are a category of words, but there are some among numbers",
        [f"{it.gaps} in column '{it.name}'" for it in wrong],
        "data.missing: mean or median fills numbers in, and makes a category of words, too.",
    )
    faults.refuse()


def fill(rows: Rows, columns: Sequence[Column], how: str, trained: Array) -> list[Column]:
    """Return the columns with what their gaps are filled with: `how` is the mean or the median of
    the training rows, whose positions are given. Gaps of words stay a category."""
    faults, filled = Faults(rows.where), []
    for column in columns:
        if column.part != "input" or column.type == "words":
            filled.append(column)
            continue
        known = encoding.read_values(rows, column, faults).to_numpy()[trained]
        known = known[~np.isnan(known)]
        if not len(known):
            faults.add(f"{WITHOUT_VALUE} among the training rows", [f"column '{column.name}'"])
        value = getattr(np, how)(known) if len(known) else 0
        filled.append(replace(column, fill=float(value)))
    faults.refuse()
    return filled


def _leave_out(rows: Rows, names: Iterable[str]) -> Rows:
    """Return the rows that have a value in all of these columns, under their old numbers.

    Raises UserError where none is left, or a column has no value at all.
    """
    gaps = {name: is_gap(rows.frame[name]) for name in names}
    faults = Faults(rows.where)
    empty = [f"column '{name}'" for name, missing in gaps.items() if missing.all()]
    faults.add(WITHOUT_VALUE, empty, LEAVE_OUT)
    faults.refuse()
    left_out = np.logical_or.reduce(list(gaps.values()))
    if not left_out.any():
        return rows
    counts = ", ".join(f"{it.sum()} in '{name}'" for name, it in gaps.items() if it.any())
    if left_out.all():
        raise UserError(f"{rows.where}: data.missing: drop leaves out all rows: {counts}")
    note = f"{left_out.sum()} of {len(rows.frame)} rows are left out for their gaps: {counts}"
    return replace(rows, frame=rows.frame[~left_out], notes=(*rows.notes, note))
