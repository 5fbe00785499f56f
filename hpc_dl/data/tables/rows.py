"""Rows of a table, and for messages where they come from. Light."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pandas import DataFrame


@dataclass(frozen=True)
class Rows:
    """A table as it was read. Notes on it lie beside the frame: pandas copies the
    attributes of a frame at each access to a column."""

    frame: DataFrame
    where: str = "the table"
    """The option and the file."""
    path: str = ""
    is_csv: bool = False
    after: str = ""
    """What rows count from in messages: ` after the header`, if there is one."""
    notes: tuple[str, ...] = ()
    """How the file was read."""
    gap_words: Mapping[str, Sequence[str]] = field(default_factory=dict)
    """Column → words of it that were read as gaps, though `data.na_values` has not named them."""
