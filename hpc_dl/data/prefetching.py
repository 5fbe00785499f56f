"""Prefetching: processes read the batches that come next, and are kept from one pass over the
examples to the next, for starting them takes as long as some steps."""

from __future__ import annotations

import itertools
import weakref
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any

import torch
from torch.utils.data import DataLoader, Dataset

from hpc_dl.data import workers

AHEAD = 2
"""Batches that each worker prefetches."""


class Prefetcher:
    """Processes that call `read` with the requests of passes, of which any number may be under way:
    what a training has prefetched waits for it while its network is evaluated.

    The first pass starts them. They end with this object, or with the rank.
    """

    def __init__(self, read: Callable[[Any], Any], processes: int) -> None:
        self._read, self._processes = read, processes
        self._requests = _Requests()
        self._kept: list[tuple[DataLoader[Any], Iterator[Any]]] = []
        """One or none. Were it collected as a part of a cycle, its processes would not end."""
        weakref.finalize(self, self._kept.clear).atexit = False
        workers.context()  # gets ready while the networks are built

    def results(self, requests: Iterable[Any], *, pinned: bool) -> Iterator[Any]:
        """Yield what `read` returns for each request, in turn, in pinned memory or not."""
        asked, ahead = itertools.tee(requests)
        own, passes = _Pass(ahead), self._requests.passes
        passes.append(own)
        try:
            for _ in asked:
                while not own.results:
                    if own not in passes:
                        raise ConnectionError("the processes ended while another pass was read")
                    passes.remove(own)
                    passes.append(own)
                    self._receive(pinned=pinned)
                yield own.results.popleft()
        finally:
            own.requests = iter(())  # they may refer to this object, and `sent` to this pass
            if own in passes:
                passes.remove(own)

    def _receive(self, *, pinned: bool) -> None:
        """Receive the next result, for whatever pass it is."""
        try:
            if not self._requests.sent:
                loader = self._kept[0][0] if self._kept else self._loader(pinned=pinned)
                self._kept[:] = [(loader, iter(loader))]
            ((_, results),) = self._kept
            result = next(results)
        except BaseException:  # what the other passes have requested is lost
            self._kept.clear()
            self._requests.passes.clear()
            self._requests.sent.clear()
            raise
        self._requests.sent.popleft().results.append(result)

    def _loader(self, *, pinned: bool) -> DataLoader[Any]:
        return DataLoader(
            _Results(self._read),
            batch_size=None,  # each index is a request
            sampler=self._requests,
            pin_memory=pinned,
            generator=torch.Generator(),  # it draws a seed, which is not to be the training's
            num_workers=self._processes,
            prefetch_factor=AHEAD,
            persistent_workers=True,
            multiprocessing_context=workers.context(),
            worker_init_fn=workers.leave_with_the_rank,
        )


@dataclass(eq=False)
class _Pass:
    """A pass that is under way."""

    requests: Iterator[Any]
    """Those to send."""
    results: deque[Any] = field(default_factory=deque)
    """Those received."""


class _Requests:
    """The requests of all passes, as the order of a DataLoader, which asks for another one with
    each result that it receives, also after it was told that there is none."""

    def __init__(self) -> None:
        self.passes: list[_Pass] = []
        """The last is that which waits for a result."""
        self.sent: deque[_Pass] = deque()
        """The pass of each request whose result is to come."""

    def __iter__(self) -> Iterator[Any]:
        return self

    def __next__(self) -> Any:
        for own in reversed(self.passes):
            for request in own.requests:
                self.sent.append(own)
                return request
        raise StopIteration


@dataclass(frozen=True)
class _Results(Dataset[Any]):
    """The results of all requests, by request; it is sent to each worker."""

    read: Callable[[Any], Any]

    def __getitem__(self, request: Any) -> Any:
        return self.read(request)
