"""Digests of tensors, by which to know again examples that a library or own code returns.

Of floats it is two sums, written `~SUM NORM`, which `fingerprint` compares with a tolerance: code
that computes them may differ in the last bits from one type of processor to another.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Iterable, Mapping, Sequence

import torch
from torch import Tensor

from hpc_dl.data.split import Split


def digests(splits: Mapping[str, Split]) -> tuple[tuple[str, str], ...]:
    """By `SPLIT/TENSOR` the digest of its shape, type and values."""
    return tuple(
        (f"{name}/{key}", _digest(tensors))
        for name, split in splits.items()
        for key, tensors in split.contents().items()
    )


def _digest(tensors: Iterable[Tensor]) -> str:
    digest, floats = hashlib.blake2b(digest_size=8), list[Tensor]()
    for tensor in tensors:
        if tensor.is_floating_point():
            floats.append(tensor)
            continue
        digest.update(repr((tuple(tensor.shape), tensor.dtype)).encode())
        digest.update(tensor.contiguous().numpy().data)
    return _sums(floats) if floats else digest.hexdigest()


def _sums(tensors: Sequence[Tensor]) -> str:
    """The sum of all values with a weight by their place, relative to their norm; and the norm."""
    weighted = squares = 0.0
    place = 0
    for part in (part for tensor in tensors for part in tensor.reshape(-1).split(_AT_ONCE)):
        places = torch.arange(place, place + len(part))
        weights = (
            places * _STEP % 2**32
        ).double() / 2**32 - 0.5  # exact, and unrelated to the data
        weighted += float(part.double() @ weights)
        squares += float(part.double() @ part.double())
        place += len(part)
    norm = math.sqrt(squares)
    return f"~{weighted / norm if norm else 0:.8f} {norm:.8g}"


_STEP = 2654435769
"""The golden ratio of 2**32: multiples of it are spread evenly."""
_AT_ONCE = 2**20
