"""Predictions as lines of JSON, an object an example."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from typing import Any

import numpy as np

from hpc_dl.predictor.arrays import Array
from hpc_dl.predictor.columns import Columns
from hpc_dl.predictor.results.writer import Writer


class JsonLines(Writer):
    """A line for each example; what is not finite is null."""

    def write(self, columns: Columns, predicted: Mapping[str, Array]) -> None:
        rows = zip(*map(_values, columns.values()), strict=True)
        for row in rows:
            line = json.dumps(dict(zip(columns, row, strict=True)), ensure_ascii=False)
            self.file.write(line.encode(errors="surrogateescape") + b"\n")


def _values(column: Any) -> list[Any]:
    if isinstance(column, np.ndarray) and column.dtype.kind == "f":
        return [float(str(it)) if math.isfinite(it) else None for it in column]  # 0.1 is 0.1
    return column.tolist() if isinstance(column, np.ndarray) else [*map(_plain, column)]


def _plain(value: Any) -> Any:
    """Return what JSON can hold: dates and others of a table become text."""
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value if isinstance(value, str | int | float | bool | list | None) else str(value)
