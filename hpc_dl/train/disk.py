"""Disks that take no more: what their refusals look like, and what to say of them."""

from __future__ import annotations

from hpc_dl import errors
from hpc_dl.train.sharded_tensors import failures

_OF_TORCH = ("PytorchStreamWriter", "inline_container")
"""torch's own writer of files raises a RuntimeError with one of these in it."""


def refuses(error: BaseException) -> bool:
    """Whether an error comes from a file that could not be written."""
    if ranks := failures(error):
        return all(refuses(cause) for cause, _ in ranks.values())
    return isinstance(error, OSError) or any(word in str(error) for word in _OF_TORCH)


def reason(error: BaseException) -> str:
    """The error in one line; of shards, that of the first rank whose disk refused."""
    if ranks := failures(error):
        rank = min(ranks)
        return f"{reason(ranks[rank][0])}, on rank {rank}"
    if isinstance(error, OSError):
        return errors.reason(error)
    return "the disk is full, or a quota is reached"
