"""Copy of a training's state in main memory, taken while the training goes on.

A GPU takes snapshots of the tensors in its own memory, many times as fast as it could send them,
and copies these to pinned memory on a stream of its own, beside the next steps. Only where it has
no room for snapshots the training waits for the copies.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

Pair = tuple[Tensor, Tensor]
"""A tensor in main memory, and the one to copy there."""

ROOM = 2
"""So many times the size of a state must be free for a snapshot, beside which steps go on."""
AT_ONCE = 2**26
"""Bytes of which snapshots are taken before their copies begin."""


class StateCopy:
    """One copy, whose memory the next one takes over where its tensors fit."""

    def __init__(self) -> None:
        self._state: Any = None
        self._copied: torch.cuda.Event | None = None
        """The end of what a GPU writes."""
        self._stream: torch.cuda.Stream | None = None

    def take(self, state: Any) -> None:
        """Copy a state of nested dicts and lists, which may change when this returns."""
        self.get()  # there is one snapshot at a time
        pairs: list[Pair] = []
        self._state = _laid_out(state, self._state, pairs)
        for here, there in pairs:
            if not there.is_cuda:
                here.copy_(there)
        if on_gpu := [pair for pair in pairs if pair[1].is_cuda]:
            self._stream = self._stream or torch.cuda.Stream(on_gpu[0][1].device)
            self._copied = _copy_beside(on_gpu, self._stream)

    def get(self) -> Any:
        """Return the copy; wait until a GPU has written it."""
        if self._copied is not None:
            self._copied.synchronize()
        return self._state


def _laid_out(value: Any, into: Any, pairs: list[Pair]) -> Any:
    """Return the copy of a value, whose tensors are yet to be written, and note these in `pairs`.

    Tensors of an earlier copy, `into`, are taken where they fit. A GPU writes to pinned memory.
    """
    if isinstance(value, Tensor):
        fits = isinstance(into, Tensor) and _like(value) == _like(into)
        pin = value.is_cuda
        buffer = into if fits else torch.empty_like(value, device="cpu", pin_memory=pin)
        pairs.append((buffer, value.detach()))
        return buffer
    if isinstance(value, dict):
        old = into if isinstance(into, dict) else {}
        return {key: _laid_out(item, old.get(key), pairs) for key, item in value.items()}
    if isinstance(value, list):
        former = into if isinstance(into, list) and len(into) == len(value) else [None] * len(value)
        return [_laid_out(item, one, pairs) for item, one in zip(value, former, strict=True)]
    return value


def _like(tensor: Tensor) -> tuple[torch.dtype, torch.Size]:
    return tensor.dtype, tensor.shape


def _copy_beside(pairs: Sequence[Pair], stream: torch.cuda.Stream) -> torch.cuda.Event:
    """Have a GPU copy tensors on `stream`, and return the end of it; they may change at once."""
    free, _ = torch.cuda.mem_get_info(stream.device)
    snapshots = free >= ROOM * sum(there.nbytes for _, there in pairs)
    for group in _groups(pairs):
        snapshots = _begin(group, stream, snapshots)
    copied = torch.cuda.Event(blocking=True)  # who waits for it leaves the core to the training
    copied.record(stream)
    if not snapshots:
        copied.synchronize()
    return copied


def _begin(group: Sequence[Pair], stream: torch.cuda.Stream, snapshots: bool) -> bool:
    """Begin to copy tensors on `stream`, and return whether it is done from `snapshots` of them.

    Torch's allocator gives the memory of a snapshot to others only once the stream has read it, but
    counts it as free from here on: the peak memory of a run stays that of its steps.
    """
    sources = [there for _, there in group]
    if snapshots:
        try:
            sources = [it.clone() for it in sources]
        except torch.OutOfMemoryError:  # another process has taken the room
            snapshots = False
    stream.wait_stream(torch.cuda.current_stream(stream.device))
    with torch.cuda.stream(stream):
        for (here, _), source in zip(group, sources, strict=True):
            here.copy_(source, non_blocking=True)
            source.record_stream(stream)
    return snapshots


def _groups(pairs: Sequence[Pair]) -> list[list[Pair]]:
    """Divide pairs into groups of about AT_ONCE bytes, in their order."""
    groups: list[list[Pair]] = [[]]
    held = 0
    for pair in pairs:
        if held >= AT_ONCE:
            groups.append([])
            held = 0
        groups[-1].append(pair)
        held += pair[1].nbytes
    return groups
