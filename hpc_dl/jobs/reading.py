"""The newest events of a journal, found from its end: a long run's is not read whole."""

from __future__ import annotations

import json
import mmap
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from hpc_dl.journal import Event


class Ends:
    """A journal as bytes, searched from either end."""

    def __init__(self, data: bytes | mmap.mmap) -> None:
        self._data = data

    def newest(self, kind: str, holding: str = "") -> Event | None:
        """The last whole event of this kind whose line holds these characters."""
        mark, end = _mark(kind), len(self._data)
        while (at := self._data.rfind(mark, 0, end)) >= 0:
            line = self._line(at)
            if (event := _parsed(line, kind)) is not None and holding.encode() in line:
                return event
            end = at
        return None

    def oldest(self, kind: str) -> Event | None:
        """The first whole event of this kind."""
        at = self._data.find(_mark(kind))
        return _parsed(self._line(at), kind) if at >= 0 else None

    def _line(self, at: int) -> bytes:
        """The line around a position, or nothing if it is still in the writing."""
        start, stop = self._data.rfind(b"\n", 0, at) + 1, self._data.find(b"\n", at)
        return self._data[start:stop] if stop >= 0 else b""


@contextmanager
def ends(path: Path) -> Iterator[Ends]:
    """The ends of a journal; an absent or empty one has no events."""
    try:
        with path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data:
            yield Ends(data)
    except (FileNotFoundError, ValueError):
        yield Ends(b"")


def _mark(kind: str) -> bytes:
    return f'"event": "{kind}"'.encode()


def _parsed(line: bytes, kind: str) -> Event | None:
    try:
        event: Any = json.loads(line)
    except ValueError:
        return None
    return event if isinstance(event, dict) and event.get("event") == kind else None
