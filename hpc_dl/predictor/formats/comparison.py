"""Comparison of a written file with the network that it was made of: both predict the same."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import torch
from torch import Tensor

from hpc_dl.errors import EXIT_FAILED, UserError

Run = Callable[[Sequence[Tensor]], Mapping[str, Tensor]]
TOLERANCE = 1e-4
"""Of floats, relative to the largest number of an output, or absolute if that is below 1."""


def compare(ours: Run, theirs: Run, batches: Sequence[Sequence[Tensor]]) -> float:
    """Return the largest difference of any output. Raises UserError above the tolerance."""
    largest = 0.0
    with torch.no_grad():
        for batch in batches:
            found = theirs(batch)
            for name, expected in ours(batch).items():
                largest = max(largest, _difference(name, expected, found.get(name)))
    return largest


def _difference(name: str, expected: Tensor, found: Any) -> float:
    if found is None or found.shape != expected.shape:
        shape = "none" if found is None else tuple(found.shape)
        raise _differs(f"{name} is {shape} there, and {tuple(expected.shape)} here")
    if not expected.numel():
        return 0.0
    apart = (found.double() - expected.double()).abs()
    difference = float(apart.nan_to_num(nan=torch.inf).max())
    exact = not expected.is_floating_point()
    largest = max(1.0, float(expected.double().abs().max()))
    if difference > (0 if exact else TOLERANCE * largest):
        raise _differs(f"{name} differs by {difference:.3g}")
    return difference


def _differs(how: str) -> UserError:
    return UserError(
        f"the file does not predict what the network predicts: {how}",
        hint="It is not kept. Another --format may.",
        exit_code=EXIT_FAILED,
    )
