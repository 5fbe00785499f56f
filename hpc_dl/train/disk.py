"""Disks that take no more: what their refusals look like, and what to say of them."""

from __future__ import annotations

from torch.distributed.checkpoint.api import CheckpointException

_OF_TORCH = ("PytorchStreamWriter", "inline_container")
"""torch's own writer of files raises a RuntimeError with one of these in it."""


def refuses(error: BaseException) -> bool:
    """Whether an error comes from a file that could not be written."""
    is_torchs = isinstance(error, CheckpointException)  # of a rank's shards
    return is_torchs or isinstance(error, OSError) or any(word in str(error) for word in _OF_TORCH)


def reason(error: BaseException) -> str:
    """The error in one line."""
    if isinstance(error, OSError) and error.strerror:
        return f"{error.strerror} ({error.filename})" if error.filename else error.strerror
    if isinstance(error, OSError):
        return str(error) or type(error).__name__
    return "the disk is full, or a quota is reached"
