"""Prefetching: processes read the batches that come next, and are kept from one pass over the
examples to the next, for starting them takes as long as some steps."""

from __future__ import annotations

import weakref
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Any

import torch
from torch.utils.data import DataLoader, Dataset

from hpc_dl.data import workers

AHEAD = 2
"""Batches that each worker prefetches."""


class Prefetcher:
    """Processes that call `read` with the requests of one pass after the other.

    The first pass starts them. They end with a pass that is given up, with this object, or with the
    rank.
    """

    def __init__(self, read: Callable[[Any], Any], processes: int) -> None:
        self._read, self._processes = read, processes
        self._pass: object | None = None
        """The one that is under way, until its last result is there."""
        self._kept: list[tuple[DataLoader[Any], _Requests]] = []
        """One or none. Were it collected as a part of a cycle, its processes would not end."""
        weakref.finalize(self, self._kept.clear).atexit = False
        workers.context()  # gets ready while the networks are built

    def results(self, requests: Iterable[Any], count: int, *, pinned: bool) -> Iterator[Any]:
        """Yield what `read` returns for each of `count` requests, in turn, in pinned memory or not.

        A pass that begins while another is under way has processes of its own.
        """
        if self._pass is not None:
            others = Prefetcher(self._read, self._processes)
            yield from others.results(requests, count, pinned=pinned)
            return
        self._pass = own = object()
        try:
            found = self._begin(requests, pinned=pinned) if count else iter(())
            for left in reversed(range(count)):
                result = next(found)
                if not left:
                    self._pass = None
                yield result
        finally:
            if self._pass is own:  # it was given up, or has failed
                self._pass = None
                self._kept.clear()

    def _begin(self, requests: Iterable[Any], *, pinned: bool) -> Iterator[Any]:
        """Begin a pass."""
        if not self._kept:
            order = _Requests()
            loader = DataLoader(
                _Results(self._read),
                batch_size=None,  # each index is a request
                sampler=order,
                pin_memory=pinned,
                generator=torch.Generator(),  # it draws a seed, which is not to be the training's
                num_workers=self._processes,
                prefetch_factor=AHEAD,
                persistent_workers=True,
                multiprocessing_context=workers.context(),
                worker_init_fn=workers.leave_with_the_rank,
            )
            self._kept.append((loader, order))
        ((loader, order),) = self._kept
        order.of_pass = requests
        return iter(loader)


class _Requests:
    """The requests of the pass that begins next, as the order of a DataLoader."""

    of_pass: Iterable[Any] = ()

    def __iter__(self) -> Iterator[Any]:
        return iter(self.of_pass)


@dataclass(frozen=True)
class _Results(Dataset[Any]):
    """The results of all requests, by request; it is sent to each worker."""

    read: Callable[[Any], Any]

    def __getitem__(self, request: Any) -> Any:
        return self.read(request)
