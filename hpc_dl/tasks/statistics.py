"""Mean and standard deviation of numbers with gaps, in float64."""

from __future__ import annotations

import torch
from torch import Tensor

ROUNDING = 1e-13
"""A deviation below this fraction of the mean is a rounding error of float64."""


def mean(values: Tensor) -> Tensor:
    """Return the mean of each column of (N, numbers) in float64, without NaN."""
    return values.double().nanmean(dim=0).nan_to_num()


def deviation(values: Tensor, constant: float = 1.0) -> Tensor:
    """Return the standard deviation of each column of (N, numbers), likewise."""
    centre = mean(values)
    found = (values.double() - centre).square().nanmean(dim=0).sqrt()
    return torch.where(found > ROUNDING * centre.abs(), found, constant)
