"""Mean and deviation of numbers with gaps, in float64."""

from __future__ import annotations

import torch
from torch import Tensor

ROUNDING = 1e-13
"""A deviation that is less, beside the mean, comes of rounding in float64."""


def mean(values: Tensor) -> Tensor:
    """The mean of each column of (N, numbers), in float64; NaN is no value."""
    return values.double().nanmean(dim=0).nan_to_num()


def deviation(values: Tensor, of_constants: float = 1.0) -> Tensor:
    """The standard deviation of each column of (N, numbers), likewise."""
    centre = mean(values)
    found = (values.double() - centre).square().nanmean(dim=0).sqrt()
    return torch.where(found > ROUNDING * centre.abs(), found, of_constants)
