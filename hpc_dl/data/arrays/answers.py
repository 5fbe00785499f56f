"""Labels and regression targets in arrays, as they are in the file. Light."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from hpc_dl.data.arrays.elements import describe, refuse_no_numbers
from hpc_dl.data.arrays.stored import Array, StoredArray
from hpc_dl.data.faults import Faults
from hpc_dl.errors import UserError

_WAYS = {
    "dates": "Make words or whole numbers of them.",
    "Python objects": "Save words by numpy.array(y, dtype=str), numbers as numbers.",
    "references": "Save numbers, as MATLAB's grp2idx gives them, in place of a cell array.",
}


def count_labels(array: StoredArray, examples: int, where: str) -> int:
    """Return how many labels there are; they may be in one row (1, N), as MATLAB has them."""
    shape = array.shape
    if not shape:
        raise UserError(f"{where} is a single value, and not one for each example")
    if len(shape) == 2 and shape[0] == 1 and examples != 1:
        return shape[1]
    return shape[0]


def read_labels(array: StoredArray, where: str) -> Array:
    """Return the labels of examples, words as text. Raises UserError for what cannot be some."""
    if (held := describe(array.dtype)) not in ("", "text"):
        raise UserError(f"{where} holds {held}, not classes", hint=_WAYS.get(held, ""))
    if len(_axes(array.shape)) > 2:
        raise UserError(
            f"{where} is {array.shape}, but classes are one for each example",
            hint="A class for each pixel or step is not supported.",
        )
    found = _as_column(array[()])
    return found.reshape(_axes(found.shape))


def read_targets(array: StoredArray, where: str) -> Array:
    """Return regression targets, (N,) or (N, targets). Raises UserError with all gaps."""
    refuse_no_numbers(array.dtype, where, "y", "To predict classes: data.task: classify.")
    if len(_axes(array.shape)) > 2 or 0 in array.shape:
        raise UserError(
            f"{where} is {array.shape}, but numbers to predict are (N,) or (N, targets)"
        )
    found = _as_column(array[()])
    found = found.reshape(_axes(found.shape))
    rows = ~np.isfinite(found.reshape(len(found), -1)).all(axis=1)
    faults = Faults(where)
    faults.add(
        f"{rows.sum()} of {len(found)} targets are nan or infinite, of examples",
        np.flatnonzero(rows).tolist(),
        "Leave those out: keep = numpy.isfinite(y); x, y = x[keep], y[keep].",
    )
    faults.refuse()
    return found


def name_targets(name: str, given: Mapping[str, Array]) -> tuple[str, ...]:
    """Return the names of the regression targets. Raises UserError where splits differ."""
    widths = {array.reshape(len(array), -1).shape[1] for array in given.values()}
    if len(widths) > 1:
        raise UserError(f"data.labels: the splits have {' and '.join(map(str, widths))} targets")
    width = widths.pop()
    return (name,) if width == 1 else tuple(f"{name}{n}" for n in range(width))


def _axes(shape: tuple[int, ...]) -> tuple[int, ...]:
    """Return a shape without axes of size 1 after the first."""
    return (*shape[:1], *(size for size in shape[1:] if size != 1))


def _as_column(array: Array) -> Array:
    """Return labels in one row (1, N) as (N,), others as they are."""
    return array[0] if array.ndim == 2 and len(array) == 1 and array.shape[1] > 1 else array
