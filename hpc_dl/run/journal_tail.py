"""The newest events of a journal, found from its end without reading it whole."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from hpc_dl.run.events import Event, parse
from hpc_dl.run.journal import MAX_LINE_BYTES
from hpc_dl.run.layout import DamagedFile, open_file

BLOCK = 2**18
"""Bytes that are read at once. Mapping the file would be faster, but end the process if the file is
removed on another machine."""


class JournalTail:
    """Journal that is searched from its end, or from its beginning."""

    def __init__(self, descriptor: int, size: int) -> None:
        self._descriptor, self._size = descriptor, size

    def newest(self, kind: str, holding: str = "") -> Event | None:
        """Return the last event of this kind whose line contains these characters."""
        mark, end = _mark(kind), self._size
        while (at := self._last(mark, end)) >= 0:
            line = self._line(at)
            if holding.encode() in line and (event := _parsed(line, kind)) is not None:
                return event
            end = at
        return None

    def oldest(self, kind: str) -> Event | None:
        """Return the first event of this kind."""
        mark, start = _mark(kind), 0
        while (at := self._first(mark, start)) >= 0:
            if (event := _parsed(self._line(at), kind)) is not None:
                return event
            start = at + len(mark)
        return None

    def _line(self, at: int) -> bytes:
        """Return the line around an offset; empty if it is incomplete or too long."""
        start, stop = self._last(b"\n", at) + 1, self._first(b"\n", at)
        is_complete = 0 <= stop - start <= MAX_LINE_BYTES
        return os.pread(self._descriptor, stop - start, start) if is_complete else b""

    def _last(self, mark: bytes, end: int) -> int:
        """Return the offset of the last mark before `end`; -1 without one."""
        while end > 0:
            start = max(0, end - BLOCK)
            if (at := os.pread(self._descriptor, end - start, start).rfind(mark)) >= 0:
                return start + at
            end = start + len(mark) - 1 if start else 0  # a mark may lie across two blocks
        return -1

    def _first(self, mark: bytes, start: int) -> int:
        """Return the offset of the first mark from `start` on; -1 without one."""
        while start < self._size:
            if (at := os.pread(self._descriptor, BLOCK, start).find(mark)) >= 0:
                return start + at if start + at < self._size else -1
            start += BLOCK - len(mark) + 1
        return -1


EMPTY = JournalTail(-1, 0)


@contextmanager
def open_tail(path: Path) -> Iterator[JournalTail]:
    """Open a journal; an absent or empty one has no events. Raises DamagedFile."""
    try:
        file = open_file(path)
    except FileNotFoundError:
        yield EMPTY
        return
    with file:
        try:
            yield JournalTail(file.fileno(), os.fstat(file.fileno()).st_size)
        except OSError as error:
            raise DamagedFile(path, f"cannot be read: {error.strerror}") from None


def _mark(kind: str) -> bytes:
    return f'"event": "{kind}"'.encode()


def _parsed(line: bytes, kind: str) -> Event | None:
    event = parse(line)
    return event if event is not None and event["event"] == kind else None
