"""Another process of Python that runs a user's code, is asked once, and ends with its children."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from typing import IO

from hpc_dl.installed import PYTHON

TAIL = 2**16
"""Bytes that are kept of what the process wrote on its standard error."""


@dataclass(frozen=True)
class Answer:
    """Output of the process; `code` is None if it did not end in time, and -N after a signal."""

    code: int | None
    out: str
    err: str


def ask(
    module: str,
    words: list[str],
    request: str,
    seconds: float,
    slow: tuple[float, Callable[[], None]] | None = None,
) -> Answer:
    """Run `python -m MODULE WORDS` with a request as its input; `slow` is called after so long.

    Outputs are files: what the user's code starts may hold a pipe open for ever, and what it
    prints may be no text.
    """
    with contextlib.ExitStack() as stack:
        given, out, err = (stack.enter_context(tempfile.TemporaryFile()) for _ in range(3))
        given.write(request.encode())
        given.seek(0)
        command = [*PYTHON, "-m", module, *words]
        process = subprocess.Popen(
            command, stdin=given, stdout=out, stderr=err, start_new_session=True
        )
        try:
            code = _wait(process, seconds, slow)
        finally:  # also after Ctrl-C
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()
        return Answer(code, _text(out, 0), _text(err, TAIL))


def _wait(
    process: subprocess.Popen[bytes],
    seconds: float,
    slow: tuple[float, Callable[[], None]] | None,
) -> int | None:
    if slow is not None:
        with contextlib.suppress(subprocess.TimeoutExpired):
            return process.wait(slow[0])
        slow[1]()
    try:
        return process.wait(seconds)
    except subprocess.TimeoutExpired:
        return None


def _text(file: IO[bytes], last: int) -> str:
    """Return the text of a file, or of so many bytes at its end."""
    size = file.seek(0, os.SEEK_END)
    file.seek(max(0, size - last) if last else 0)
    return file.read().decode(errors="replace")
