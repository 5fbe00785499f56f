"""Precision of examples: float32, or float64 for tables and targets whose values differ by too
little beside their size, such as times in seconds since 1970.

Networks compute in float32 all the same, once they have subtracted the mean.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from functools import reduce
from operator import add

import torch
from torch import Tensor

from hpc_dl.data.dataset import Splits
from hpc_dl.errors import UserError
from hpc_dl.tasks.statistics import Moments, in_parts

LOST = 1e-5
"""The most by which float32 may change a value, in standard deviations of its column."""
WIDE = ("table", "target")
"""Of these networks subtract the mean in float64."""


def narrow(splits: Splits) -> Splits:
    """Return the splits in float32, where that keeps the differences of the training examples.

    Raises UserError naming a column that would lose them.
    """
    train = splits.train
    for name in [name for name, dtype in train.dtypes().items() if dtype == torch.float64]:
        lost = loses_digits(train.in_order(name))
        if lost.any() and name in WIDE:
            continue
        _refuse_lost(lost, next(iter(train.in_order(name))), f"data: {name}")
        for part in (train, splits.validation, splits.test):
            part.to_float32(name)
    return splits


def loses_digits(parts: Iterable[Tensor]) -> Tensor:
    """Return of which columns of (..., columns), in parts, float32 would lose digits; NaN is no
    value."""
    found = reduce(add, (_Digits.of(part.double().reshape(-1, part.shape[-1])) for part in parts))
    return (found.lost > LOST * found.moments.variance.sqrt()) & (found.high > found.low)


@dataclass(frozen=True)
class _Digits:
    """The moments of columns, the most that float32 changes, and the ends, (columns,) each; those
    of parts add up."""

    moments: Moments
    lost: Tensor
    low: Tensor
    high: Tensor

    @classmethod
    def of(cls, columns: Tensor) -> _Digits:
        """Compute them of (N, columns) float64."""
        known = columns.isnan().logical_not()
        lost = (columns - columns.float()).nan_to_num().abs().amax(dim=0)
        low = columns.where(known, torch.inf).amin(dim=0)
        high = columns.where(known, -torch.inf).amax(dim=0)
        return cls(Moments.of(columns), lost, low, high)

    def __add__(self, other: _Digits) -> _Digits:
        return _Digits(
            self.moments + other.moments,
            self.lost.maximum(other.lost),
            self.low.minimum(other.low),
            self.high.maximum(other.high),
        )


def to_float32(values: Tensor, where: str) -> Tensor:
    """Return values as float32. Raises UserError naming the first column that loses digits."""
    if values.dtype == torch.float64 and len(values):
        _refuse_lost(loses_digits(in_parts(values)), values, where)
    return values.float()


def _refuse_lost(lost: Tensor, values: Tensor, where: str) -> None:
    """Raise UserError for the first column that is lost, with one of its values."""
    if lost.any():
        column = int(lost.nonzero()[0])
        raise UserError(
            f"{where}: column {column}, like {values.flatten(0, -2)[0, column]:.17g}, differs by "
            "less than float32 can hold beside its size",
            hint="Subtract its mean in float64 before. Columns count from 0.",
        )
