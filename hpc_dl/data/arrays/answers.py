"""Labels and regression targets in arrays, as they are in the file. Light."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from hpc_dl.data.arrays.elements import describe, refuse_no_numbers
from hpc_dl.data.arrays.stored import Array, StoredArray
from hpc_dl.data.exact import MOST_INTEGER
from hpc_dl.data.faults import Faults
from hpc_dl.errors import UserError
from hpc_dl.jobspec.facts import Task

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


def read(task: Task, array: StoredArray, count: int, where: str) -> Array:
    """Return the labels of `count` examples, or their regression targets, (N,) or (N, targets).

    Raises UserError for what cannot be some.
    """
    reads = _read_targets if task == "regress" else _read_labels
    return reads(array, count, where)


def _read_labels(array: StoredArray, count: int, where: str) -> Array:
    if (held := describe(array.dtype)) not in ("", "text"):
        raise UserError(f"{where} holds {held}, not classes", hint=_WAYS.get(held, ""))
    if len(_axes(array.shape)) > 2:
        raise UserError(
            f"{where} is {array.shape}, but classes are one for each example",
            hint="A class for each pixel or step is not supported.",
        )
    return _first_axis(array[()], count)


def _read_targets(array: StoredArray, count: int, where: str) -> Array:
    refuse_no_numbers(array.dtype, where, "y", "To predict classes: data.task: classify.")
    if len(_axes(array.shape)) > 2 or 0 in array.shape:
        raise UserError(
            f"{where} is {array.shape}, but numbers to predict are (N,) or (N, targets)"
        )
    found = _first_axis(array[()], count)
    faults = Faults(where)
    absent = _rows(~np.isfinite(found))
    faults.add(
        f"{len(absent)} of {count} targets are nan or infinite, of examples",
        absent,
        f"Leave those out: keep = numpy.isfinite(y){'.all(axis=1)' * (found.ndim > 1)}; "
        "x, y = x[keep], y[keep].",
    )
    large = _rows(np.isfinite(found) & (np.abs(found.astype(np.float64)) > _most(found)))
    faults.add(f"{len(large)} of {count} targets are too large for floats, of examples", large)
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


def _first_axis(array: Array, count: int) -> Array:
    """Return the labels of `count` examples along the first axis; some files have (1, N)."""
    found = array if len(array) == count else array[0]
    return found.reshape(_axes(found.shape))


def _rows(wrong: Array) -> list[int]:
    """Return the examples of which something is wrong."""
    rows: list[int] = np.flatnonzero(wrong.reshape(len(wrong), -1).any(axis=1)).tolist()
    return rows


def _most(targets: Array) -> float:
    """Return the largest number that floats hold, of integers exactly."""
    return float(np.finfo(np.float32).max) if targets.dtype.kind == "f" else MOST_INTEGER
