"""Columns of the table to train on: types, words and gaps, or why they are no inputs. Light."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from hpc_dl.data.faults import Faults
from hpc_dl.data.tables import dates
from hpc_dl.data.tables.columns import as_words, count_different, find_kind, floats, plain
from hpc_dl.data.tables.places import LONGEST, show_value
from hpc_dl.data.tables.rows import Rows
from hpc_dl.data.tables.text_numbers import add_formatted_numbers
from hpc_dl.jobspec.facts import Column, Part

if TYPE_CHECKING:
    from pandas import DataFrame, Series

MOST_WORDS = 256
"""Most different words of a column of categories."""
FEW_WORDS = 20
"""Up to so many, all words of a column may differ."""
SHOWN = 3
"""How many words of a column the plan shows."""
_TYPES: Mapping[str, Any] = {
    "boolean": "bool",
    "string": "words",
    "mixed-integer": "words",
    "dates": "date",
    **dict.fromkeys(("integer", "floating", "mixed-integer-float", "decimal"), "number"),
}


def find_columns(
    train: Rows,
    parts: Mapping[str, Part],
    formats: Mapping[str, str],
    categories: Collection[str],
) -> list[Column]:
    """Return all columns of the file. Raises UserError with all that can be no input.

    `formats` has the columns of dates that are to be numbers, and their formats where given;
    `categories` are words, whatever they look like.
    """
    faults = Faults(train.where)
    found = [
        _set_aside(train.frame, name, parts[name])
        if name in parts
        else _categories(train, name, faults)
        if name in categories
        else _input(train, name, formats, faults)
        for name in train.frame.columns
    ]
    faults.refuse()
    return found


def _set_aside(train: DataFrame, name: str, part: Part) -> Column:
    column = train[name]
    kind = _TYPES.get(find_kind(column), "other")
    if kind == "other":  # such as lists, which cannot be counted
        return Column(name, part, kind, 0, int(column.isna().sum()))
    values = as_words(column) if kind == "words" else column
    about = _summarise(values, kind) if part == "target" and kind != "date" else ""
    return Column(
        name, part, kind, count_different(values), int(values.isna().sum()), summary=about
    )


def _input(train: Rows, name: str, formats: Mapping[str, str], faults: Faults) -> Column:
    """Return an input column; a fault is added for what is none."""
    if name in formats:
        form, days = dates.find_days(train, name, formats[name], faults)
        return _described(name, "date", days, format=form)
    kind, values = plain(train, name, faults) or ("other", train.frame[name].isna())
    if kind != "words":
        return _described(name, kind, values)
    if not add_formatted_numbers(train, name, values, faults):
        _add_many_words(name, values, faults)
    return _of_words(name, values)


def _categories(train: Rows, name: str, faults: Faults) -> Column:
    values = as_words(train.frame[name])
    _add_many_words(name, values, faults)
    return _of_words(name, values)


def _of_words(name: str, values: Series[Any]) -> Column:
    return _described(name, "words", values, words=tuple(sorted(values.dropna().unique())))


def _add_many_words(name: str, values: Series[Any], faults: Faults) -> None:
    """Add a fault for words that are hardly categories, because most of them differ."""
    different = count_different(values)
    if different > MOST_WORDS or different > max(0.9 * values.notna().sum(), FEW_WORDS):
        some = ", ".join(map(show_value, values.dropna().unique()[:SHOWN]))
        faults.add(
            "hardly categories",
            [f"column '{name}' has {different} different words: {some}"],
            "Leave columns of names or texts out: data.drop; or data.index: one that names the "
            "rows.",
        )


def _described(name: str, kind: Any, values: Series[Any], **more: Any) -> Column:
    counts = count_different(values), int(values.isna().sum())
    return Column(name, "input", kind, *counts, summary=_summarise(values, kind), **more)


def _summarise(values: Series[Any], kind: str) -> str:
    """Return the range of numbers or dates, or the most frequent words."""
    if kind == "other" or not values.notna().any():
        return ""
    if kind == "words":
        shares = values.value_counts(normalize=True).head(SHOWN)
        return ", ".join(f"{str(word)[:LONGEST]} {share:.0%}" for word, share in shares.items())
    known = floats(values).to_numpy()
    low, mean, high = np.nanmin(known), np.nanmean(known), np.nanmax(known)
    if kind == "bool":
        return f"{mean:.0%} true"
    if kind == "date":
        return f"{dates.show(low)} to {dates.show(high)}"
    return f"{low:.6g} to {high:.6g}, mean {mean:.4g}"
