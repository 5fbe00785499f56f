"""Conversion of what a user gives to `predict` to the tensors that a network takes.

What is unambiguous is converted: a picture, a path, bytes, channels last, one example without a
batch axis. All else is refused with what was wanted: no axis is reshaped into another, and no
number is guessed.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor

from hpc_dl.errors import UserError
from hpc_dl.jobspec.csv_format import CsvFormat
from hpc_dl.jobspec.facts import Column
from hpc_dl.predictor import graphs, numbers, pictures, tables
from hpc_dl.predictor.arrays import Array
from hpc_dl.zoo.contract import SHARED


@dataclass(frozen=True)
class Inputs:
    """The inputs of a network, by name."""

    wanted: Mapping[str, Mapping[str, Any]]
    """The `shape`, with -1 for any size, and the `dtype` of each input."""
    ranges: Mapping[str, tuple[float, float]]
    """Lower and upper limit, of inputs that have some."""
    resized: bool
    """True if pictures of any size are resized to the network's, as they were for the training."""
    columns: Sequence[Column] = ()
    """Columns of the table file that was trained on, if one was: rows are then taken raw."""
    csv: CsvFormat = field(default_factory=CsvFormat)
    """How CSV files of rows are read: as that of the training was."""
    undirected: bool = False
    """True if all edges of the training graphs were there in both directions."""
    gaps: Collection[str] = ()
    """The inputs whose numbers may be missing, as NaN."""

    def batch(self, given: Any) -> dict[str, Tensor]:
        """Return the tensors for `predict`. Raises UserError with the input and what was wanted."""
        if self.columns and set(self.wanted) == {"table"}:
            raw = tables.encoded(given, self.columns, self.csv)
            return {"table": torch.from_numpy(raw.astype(self.wanted["table"]["dtype"]))}
        named = self._named(given)
        arrays = {name: self._array(name, named[name]) for name in self.wanted}
        graphs.check(arrays, undirected=self.undirected)
        _check_counts(arrays)
        return {name: torch.from_numpy(array) for name, array in arrays.items()}

    def _named(self, given: Any) -> Mapping[str, Any]:
        names = ", ".join(self.wanted)
        if not isinstance(given, Mapping):
            if len(self.wanted) > 1:
                raise UserError(
                    f"the network takes {names}, but was given one thing",
                    hint="Give a mapping from these names to arrays.",
                )
            return {names: given}
        missing = [f"no {name}" for name in self.wanted if name not in given]
        unknown = [f"an unknown {name!r}" for name in given if name not in self.wanted]
        if missing or unknown:
            wrong = " and ".join(missing + unknown)
            raise UserError(f"the network takes {names}, but there is {wrong}")
        return given

    def _array(self, name: str, given: Any) -> Array:
        shape, dtype = self.wanted[name]["shape"], self.wanted[name]["dtype"]
        if name == "image" and len(shape) == 4 and "float" in dtype:
            given = pictures.images(given, shape[1:], resized=self.resized)
        elif name == "table":
            given = tables.rows(given)
        alone, gaps = name not in SHARED, name in self.gaps
        return numbers.checked(
            given, name, shape, dtype, self.ranges.get(name), alone=alone, gaps=gaps
        )


def _check_counts(arrays: Mapping[str, Array]) -> None:
    """Raise UserError if the inputs differ in the number of examples."""
    counts = {name: len(array) for name, array in arrays.items() if name not in SHARED}
    if len(set(counts.values())) > 1:
        found = ", ".join(f"{count} of {name}" for name, count in counts.items())
        raise UserError(f"the inputs have to be of as many examples each, not {found}")
