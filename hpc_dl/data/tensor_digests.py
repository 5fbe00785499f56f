"""Digests of tensors, to recognise examples that a library or the user's code returns.

Of floats it is three sums, written `~VALUES MEANS SCALES`, which `fingerprint` compares with a
tolerance: code that computes them may differ in the last bits from one processor to another.
Each column is centred and scaled before: large numbers, such as times, do not hide the others.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Iterable, Mapping
from functools import reduce
from operator import add

import torch
from torch import Tensor

from hpc_dl.data.dataset import Split
from hpc_dl.tasks.statistics import in_parts


def digests(splits: Mapping[str, Split]) -> tuple[tuple[str, str], ...]:
    """Return by `SPLIT/TENSOR` the digest of its shape, type and values."""
    return tuple(
        (f"{name}/{key}", _digest(tensors))
        for name, split in splits.items()
        for key, tensors in split.all_tensors().items()
    )


def digest_names(names: Iterable[str]) -> str:
    """Return the digest of the names of classes or targets, in their order."""
    return hashlib.blake2b(repr(list(names)).encode(), digest_size=8).hexdigest()


def _digest(tensors: Iterable[Tensor]) -> str:
    digest, floats = hashlib.blake2b(digest_size=8), list[Tensor]()
    for tensor in tensors:
        if tensor.is_floating_point():
            floats.append(tensor)
            continue
        digest.update(repr((tuple(tensor.shape), tensor.dtype)).encode())
        digest.update(tensor.contiguous().numpy().data)
    return f"~{' '.join(map(_sums, floats))}" if floats else digest.hexdigest()


def _sums(tensor: Tensor) -> str:
    """Return three weighted sums of a tensor (N, ...): of all values, centred and in units of their
    column; of the columns' means, in units of their size; of the sizes' logarithms."""
    rows = tensor.flatten(1) if tensor.ndim > 1 else tensor[:, None]
    if not rows.numel():
        return "0 0 0"
    parts = in_parts(rows)
    mean = reduce(add, (it.double().sum(0) for it in parts)) / len(rows)
    square = reduce(add, (it.double().square().sum(0) for it in parts)) / len(rows)
    unit = (square - (1 - _LEAST**2) * mean**2).clamp(min=0).sqrt() + _NOTHING
    values, place = 0.0, 0
    for part in parts:
        values += _weighted((part.double() - mean) / unit, place)
        place += part.numel()
    size = square.sqrt() + _NOTHING
    return (
        f"{values / math.sqrt(place):.8f} {_weighted(mean / size):.8f} {_weighted(size.log()):.8f}"
    )


def _weighted(values: Tensor, first: int = 0) -> float:
    """Return a sum with weights that are exact, and unrelated to the data."""
    places = torch.arange(first, first + values.numel())
    return float(values.reshape(-1) @ ((places * _STEP % 2**32).double() / 2**32 - 0.5))


_STEP = 2654435769
"""The golden ratio of 2**32: multiples of it are spread evenly."""
_LEAST = 1e-2
"""A column's unit is its deviation, or this share of its mean: less may be rounding."""
_NOTHING = 1e-12
"""What is no larger is as good as zero."""
