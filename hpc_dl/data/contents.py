"""Digests of tensors, by which to know again examples that a library or own code returns."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping

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
    digest = hashlib.blake2b(digest_size=8)
    for tensor in tensors:
        digest.update(repr((tuple(tensor.shape), tensor.dtype)).encode())
        digest.update(tensor.contiguous().numpy().data)
    return digest.hexdigest()
