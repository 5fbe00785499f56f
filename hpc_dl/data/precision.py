"""Precision of examples: float32, or float64 for tables and targets whose values differ by too
little beside their size, such as times in seconds since 1970.

Networks compute in float32 all the same, once they have subtracted the mean.
"""

from __future__ import annotations

import torch
from torch import Tensor

from hpc_dl.data.dataset import Splits
from hpc_dl.errors import UserError

LOST = 1e-5
"""The most by which float32 may change a value, in standard deviations of its column."""
WIDE = ("table", "target")
"""Of these networks subtract the mean in float64."""


def narrow(splits: Splits) -> Splits:
    """Return the splits in float32, where that keeps the differences of the training examples."""
    parts = (splits.train, splits.validation, splits.test)
    for name, values in splits.train.tensors.items():
        if values.dtype == torch.float64:
            wide = name in WIDE and bool(loses_digits(values).any())
            for part in parts:
                tensor = part.tensors[name]
                part.tensors[name] = tensor if wide else to_float32(tensor, f"data: {name}")
    return splits


def loses_digits(values: Tensor) -> Tensor:
    """Return of which columns of (..., columns) float32 would lose digits; NaN is no value."""
    columns = values.double().reshape(-1, values.shape[-1])
    centred = (columns - columns.nanmean(dim=0)).nan_to_num()
    lost = (columns - columns.float()).nan_to_num().abs().amax(dim=0)
    return (lost > LOST * centred.square().mean(dim=0).sqrt()) & _varies(columns)


def to_float32(values: Tensor, where: str) -> Tensor:
    """Return values as float32. Raises UserError naming the first column that loses digits."""
    if values.dtype == torch.float64 and len(values) and (lost := loses_digits(values)).any():
        column = int(lost.nonzero()[0])
        raise UserError(
            f"{where}: column {column}, like {values.flatten(0, -2)[0, column]:.17g}, differs by "
            "less than float32 can hold beside its size",
            hint="Subtract its mean in float64 before. Columns count from 0.",
        )
    return values.float()


def _varies(columns: Tensor) -> Tensor:
    known = columns.isnan().logical_not()
    high = columns.where(known, -torch.inf).amax(dim=0)
    return high > columns.where(known, torch.inf).amin(dim=0)
