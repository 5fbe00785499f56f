"""The journal: the append-only log of everything that happened to a run.

One JSON object a line, `{"t": seconds since 1970, "event": ..., ...}`, one writing process at a
time, never rewritten; what the events say is in `hpc_dl.run.events`.
"""

from __future__ import annotations

import contextlib
import json
import math
import os
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, BinaryIO, NamedTuple

from hpc_dl.errors import reason
from hpc_dl.run.events import ENDED, STATES, Event, parse
from hpc_dl.run.layout import DamagedFile, open_file

_STEP_EVENTS = frozenset({"progress", "metrics", "artifact", "saved", "summary"})
"""Events that belong to a step, and become void when it is trained again."""

_DURABLE = frozenset({"state", "started"})
"""Events that have to survive a power cut."""

MAX_PENDING_BYTES = 2**26

_APPEND = os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_NONBLOCK

MAX_LINE_BYTES = 2**24
"""A longer line is skipped: hpcdl writes none."""

__all__ = ["ENDED", "STATES", "Entry", "Event", "Journal", "entries", "last_state", "read", "view"]


class Entry(NamedTuple):
    """One event and the bytes [start, end) of the journal that hold it."""

    event: Event
    start: int
    end: int


class Journal:
    """Writer of a journal. Thread-safe; on return the operating system has the event.

    What a full disk refuses is kept in memory, up to MAX_PENDING_BYTES, until the next event.
    `check` ends the process if another one has taken over; see `Lease.check`.
    """

    def __init__(self, path: Path, check: Callable[..., None] | None = None) -> None:
        self._path, self._check = path, check
        try:
            descriptor = os.open(path, _APPEND, 0o666)  # opening a pipe would block
        except OSError as error:
            raise DamagedFile(path, f"cannot be written: {error.strerror}") from None
        self._file = os.fdopen(descriptor, "ab", buffering=0)
        self._lock = threading.Lock()
        torn = self._file.tell() > 0 and not _ends_with_newline(path)
        self._pending = b"\n" if torn else b""
        self._refused = False

    def append(self, event: str, **fields: Any) -> None:
        """Append an event; a change of state is durable on return.

        An error of the disk is printed on standard error, and stops nothing.
        """
        self.check(now=event in _DURABLE)
        line = json.dumps({"t": round(time.time(), 3), "event": event, **_finite(fields)}).encode()
        with self._lock:
            if len(self._pending) > MAX_PENDING_BYTES:
                sys.stderr.write(f"journal: lost a {event} event: the disk is full\n")
                return
            self._pending += line + b"\n"
            try:
                self._write()
                if event in _DURABLE:
                    os.fsync(self._file.fileno())
            except OSError as error:
                if not self._refused:
                    sys.stderr.write(f"{self._path}: {reason(error)}; events are kept in memory\n")
                self._refused = True

    def _write(self) -> None:
        while self._pending:
            self._pending = self._pending[self._file.write(self._pending) :]
        self._refused = False

    def check(self, *, now: bool = True) -> None:
        """End this process if it may no longer write."""
        if self._check is not None:
            self._check(now=now)

    def size(self) -> int:
        """Return the size in bytes with pending ones: the offset that a checkpoint keeps."""
        with self._lock:
            return self._file.tell() + len(self._pending)

    def close(self) -> None:
        with contextlib.suppress(OSError):
            self._write()
        self._file.close()


def read(path: Path, offset: int = 0, kinds: Sequence[str] = ()) -> Iterator[Entry]:
    """Yield the events, or those of some kinds, from byte `offset` on; torn lines are skipped.

    A last line without a newline may be incomplete, and is left for later. Raises
    DamagedFile where the file cannot be read.
    """
    try:
        file = open_file(path)
    except FileNotFoundError:
        return
    marks = [f'"event": "{kind}"'.encode() for kind in kinds]
    with file:
        try:
            for line, start in _lines(file, offset):
                if not marks or any(mark in line for mark in marks):
                    event = parse(line)
                    if event is not None and (not kinds or event["event"] in kinds):
                        yield Entry(event, start, start + len(line))
        except OSError as error:
            raise DamagedFile(path, f"cannot be read: {error.strerror}") from None


def _lines(file: BinaryIO, offset: int) -> Iterator[tuple[bytes, int]]:
    """Yield complete lines and their offsets, without those that are too long."""
    file.seek(offset)
    start = offset
    while line := file.readline(MAX_LINE_BYTES):
        if line.endswith(b"\n"):
            yield line, start
            start += len(line)
            continue
        length = len(line)
        while line and not line.endswith(b"\n"):
            line = file.readline(MAX_LINE_BYTES)
            length += len(line)
        start += length


def view(path: Path) -> Iterator[Event]:
    """Yield the events without steps that a resumed attempt trained again, in bounded memory."""
    return (entry.event for entry in entries(path))


def entries(path: Path, offset: int = 0) -> Iterator[Entry]:
    """Yield the same from byte `offset` on, with the offsets of the events."""
    cuts = [
        (event["cut"], start)
        for event, start, _ in read(path, offset, kinds=("started",))
        if isinstance(event.get("cut"), int)
    ]
    for entry in read(path, offset):
        event, start, _ = entry
        void = event["event"] in _STEP_EVENTS and any(cut <= start < until for cut, until in cuts)
        if not void:
            yield entry


def last_state(path: Path) -> tuple[str, str]:
    """Return the newest journalled state and its reason; ("", "") in an empty journal."""
    state, reason = "", ""
    for event, _, _ in read(path, kinds=("state",)):
        state, reason = event["state"], event.get("reason") or ""
    return state, reason


def _ends_with_newline(path: Path) -> bool:
    with path.open("rb") as file:
        file.seek(-1, os.SEEK_END)
        return file.read(1) == b"\n"


def _finite(value: Any) -> Any:
    """Replace NaN and infinity by strings ("nan", "inf", "-inf"): JSON has none."""
    if isinstance(value, dict):
        return {key: _finite(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_finite(item) for item in value]
    if isinstance(value, float) and not math.isfinite(value):
        return str(value)
    return value
