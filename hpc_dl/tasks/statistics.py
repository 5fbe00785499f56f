"""Mean and standard deviation of numbers with gaps, in float64."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass
from functools import reduce
from operator import add

import torch
from torch import Tensor

AT_ONCE = 2**18
"""Numbers that are looked at together where all are: in float64 they fit into a cache, and sums
over parts depend on it."""
ROUNDING = 1e-13
"""A deviation below this fraction of the mean is a rounding error of float64."""


def rows_at_once(width: int) -> int:
    """Return how many rows of `width` numbers to look at together."""
    return max(1, AT_ONCE // max(1, width))


def in_parts(values: Tensor) -> tuple[Tensor, ...]:
    """Divide values (N, ...) into views to look at in turn, so that what is computed of all takes
    no memory in proportion to N."""
    return values.split(rows_at_once(math.prod(values.shape[1:])))


@dataclass(frozen=True)
class Moments:
    """Count, mean and sum of squared deviations of each column, (numbers,) each, without NaN.

    Those of parts add up (Chan, Golub and LeVeque, 1979).
    """

    count: Tensor
    mean: Tensor
    squares: Tensor

    @classmethod
    def of(cls, values: Tensor) -> Moments:
        """Compute them of (N, numbers)."""
        wide = values.double()
        centre = wide.nanmean(dim=0).nan_to_num()
        squares = (wide - centre).square().nansum(dim=0)
        return cls(wide.isnan().logical_not().sum(dim=0), centre, squares)

    @classmethod
    def of_parts(cls, parts: Iterable[Tensor]) -> Moments:
        """Compute them of values in parts, of which each is in memory for itself."""
        return reduce(add, map(cls.of, parts))

    def __add__(self, other: Moments) -> Moments:
        count, apart = self.count + other.count, other.mean - self.mean
        share = other.count / count.clamp(min=1)
        squares = self.squares + other.squares + apart.square() * self.count * share
        return Moments(count, self.mean + apart * share, squares)

    @property
    def variance(self) -> Tensor:
        """NaN of a column without numbers."""
        return self.squares / self.count

    def deviation(self, constant: float = 1.0) -> Tensor:
        """Return the standard deviation of each column; `constant` where it has none."""
        found = self.variance.sqrt()
        return torch.where(found > ROUNDING * self.mean.abs(), found, constant)


def mean(values: Tensor) -> Tensor:
    """Return the mean of each column of (N, numbers) in float64, without NaN."""
    return Moments.of_parts(in_parts(values)).mean


def deviation(values: Tensor, constant: float = 1.0) -> Tensor:
    """Return the standard deviation of each column of (N, numbers), likewise."""
    return Moments.of_parts(in_parts(values)).deviation(constant)
