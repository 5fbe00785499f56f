"""Contract of what writes predictions, part by part."""

from __future__ import annotations

import json
from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import IO, Any

from hpc_dl.predictor.arrays import Array
from hpc_dl.predictor.columns import Columns


class Writer(ABC):
    """Writes predictions into an open file."""

    of_arrays = False
    """True if it writes the arrays, whatever their shape, and not the columns."""

    def __init__(self, file: IO[bytes]) -> None:
        self.file = file

    @abstractmethod
    def write(self, columns: Columns, predicted: Mapping[str, Array]) -> None:
        """Write the predictions of a part of the examples: as columns, or as they are."""

    def close(self) -> None:  # noqa: B027
        """Write what comes at the end; the file stays open."""


def as_cells(values: Any) -> Any:
    """Return a column with lists as JSON, for tables that hold none."""
    is_list = len(values) and isinstance(values[0], list)
    return [json.dumps(it, ensure_ascii=False) for it in values] if is_list else list(values)
