"""A part of the examples to predict: some that follow each other, with their names."""

from __future__ import annotations

import dataclasses
import itertools
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

import numpy as np

from hpc_dl.data.tables.rows import Rows

T = TypeVar("T")


@dataclass(frozen=True)
class Part:
    """Some examples, as `Predictor.batch` takes them."""

    given: Any
    """A list, rows of a table, an array, or arrays by the names of inputs."""
    names: Mapping[str, Sequence[Any]]
    """What names each example, in columns of a table of the predictions."""
    places: Sequence[str]
    """What messages call each example: its file, or the row."""
    broken: Sequence[str] = ()
    """What could not be read among them: where, and why."""
    notes: Sequence[str] = ()
    """What was assumed as they were read, a sentence each."""
    whole: bool = False
    """True of examples that cannot be predicted one by one, as the nodes of a graph."""

    def __len__(self) -> int:
        return len(self.places)

    def pick(self, which: Sequence[int]) -> Part:
        """Return some of the examples, by their numbers in this part."""
        names = {name: [values[it] for it in which] for name, values in self.names.items()}
        return Part(_picked(self.given, which), names, [self.places[it] for it in which])


@dataclass(frozen=True)
class Examples:
    """All examples to predict."""

    parts: Iterable[Part]
    total: int | None = None
    """How many there are, where that is known before they are read."""


def in_parts(items: Iterable[T], size: int) -> Iterator[list[T]]:
    """Yield parts of `size` items; the last may have fewer."""
    left = iter(items)
    while some := list(itertools.islice(left, size)):
        yield some


def _picked(given: Any, which: Sequence[int]) -> Any:
    if isinstance(given, Rows):
        return dataclasses.replace(given, frame=given.frame.iloc[list(which)])
    if isinstance(given, Mapping):
        return {name: _picked(it, which) for name, it in given.items()}
    if isinstance(given, np.ndarray):
        return given[list(which)]
    return [given[it] for it in which]
