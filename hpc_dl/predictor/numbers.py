"""Checks of numeric inputs: shape, dtype and range, and that all are finite."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from hpc_dl.errors import UserError
from hpc_dl.predictor.arrays import Array, array

INDICES = "Indices count from 0, the example first."
HINTS = {"image": "Divide pixels by the greatest value that they can have: bytes by 255."}
"""By the name of the input: what to do about numbers out of range."""
ROUNDING = 1e-6
"""By how much a float may be out of range, as after resizing."""


def checked(
    given: Any,
    name: str,
    shape: Sequence[int],
    dtype: str,
    limits: tuple[float, float] | None = None,
    *,
    alone: bool = True,
    gaps: bool = False,
) -> Array:
    """Return `given` as an array of this shape, where -1 is any size, and dtype.

    If `alone`, the batch axis may be missing, for one example; with `gaps`, floats may be NaN.
    Raises UserError.
    """
    found = with_axes(array(given, name), name, shape, alone=alone)
    if "float" in dtype:
        numbers = _as_floats(found, name, dtype, gaps=gaps)
    else:
        numbers = _as_is(found, name, dtype)
    if limits is not None:
        _check_limits(numbers, name, *limits)
    return np.require(numbers, requirements=["C", "W"])  # as torch wants it


def with_axes(found: Array, name: str, shape: Sequence[int], *, alone: bool) -> Array:
    """Return the array if it has this shape, with a batch axis added to one example."""
    if alone and found.ndim == len(shape) - 1:
        found = found[None]
    if found.ndim != len(shape) or any(
        size not in (-1, there) for size, there in zip(shape, found.shape, strict=True)
    ):
        raise wrong_axes(found, name, shape)
    if not found.size and name != "edge":
        raise UserError(f"{name} is empty: {found.shape}, but has to be {_text(shape)}")
    return found


def wrong_axes(found: Array, name: str, shape: Sequence[int], hint: str = "") -> UserError:
    """Make the error for an array whose shape is not the network's."""
    return UserError(f"{name} is {found.shape}, but has to be {_text(shape)}", hint=hint)


def _text(shape: Sequence[int]) -> str:
    sizes = ["N" if size == -1 else str(size) for size in shape]
    return f"({', '.join(sizes)}{',' if len(sizes) == 1 else ''})"


def _as_floats(found: Array, name: str, dtype: str, *, gaps: bool) -> Array:
    with np.errstate(over="ignore"):
        floats = found.astype(dtype, copy=False)
    fine = np.isfinite(floats) | (np.isnan(found) & gaps)
    if not fine.all():
        index = _first(~fine)
        why = f", which {dtype} cannot hold" if np.isfinite(found[index]) else ""
        raise UserError(
            f"{_at(name, index)} is {found[index]:g}{why}; it has to be finite",
            hint=f"{INDICES} Fill it in, or leave the example out.",
        )
    return floats


def _as_is(found: Array, name: str, dtype: str) -> Array:
    """Return integers or booleans in their dtype; neither is converted to the other."""
    if not found.size:
        return found.astype(dtype)
    integers = dtype != "bool"
    if found.dtype.kind not in ("iu" if integers else "b"):
        wanted = "integers" if integers else "true or false"
        raise UserError(f"{name} is {found.dtype}, but has to be {wanted}")
    if integers:
        limits = np.iinfo(dtype)
        _check_limits(found, name, limits.min, limits.max)
    return found.astype(dtype, copy=False)


def _check_limits(found: Array, name: str, low: float, high: float) -> None:
    slack = ROUNDING if found.dtype.kind == "f" else 0
    outside = (found < low - slack) | (found > high + slack)
    if outside.any():
        index = _first(outside)
        raise UserError(
            f"{_at(name, index)} is {found[index]:g}, but has to be from {low:g} to {high:g}",
            hint=HINTS.get(name, INDICES),
        )


def _first(wrong: Array) -> tuple[int, ...]:
    return tuple(map(int, np.unravel_index(int(wrong.argmax()), wrong.shape)))


def _at(name: str, index: tuple[int, ...]) -> str:
    return f"{name}[{', '.join(map(str, index))}]"
