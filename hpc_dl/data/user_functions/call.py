"""Calls of a user's function: errors are reported as the user's, and settings are restored."""

from __future__ import annotations

import contextlib
import os
import signal
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import torch

from hpc_dl.errors import UserError
from hpc_dl.run.stop_signals import STOPPING
from hpc_dl.user_code import failures

_SIGNALS = (signal.SIGINT, *STOPPING)
"""Signals that ask a job to stop, or to save."""
_STREAMS = {"stdout": 1, "stderr": 2}


@contextlib.contextmanager
def calling(name: str) -> Iterator[None]:
    """Raise any error in the block as a UserError, with the user's file and line; an attempt to
    end the program, too."""
    try:
        yield
    except UserError:
        raise
    except (Exception, SystemExit) as error:
        raise failures.describe(error, name) from error


@contextlib.contextmanager
def _streams_restored() -> Iterator[None]:
    """Open standard output and error anew where a user's code has closed them."""
    kept = [(name, getattr(sys, name), fd, os.dup(fd)) for name, fd in _STREAMS.items()]
    try:
        yield
    finally:
        for name, stream, fd, copy in kept:
            setattr(sys, name, stream)
            if stream.closed:
                os.dup2(copy, fd)
                again = os.fdopen(fd, "w", buffering=1, errors="backslashreplace")
                setattr(sys, name, again)
                setattr(sys, f"__{name}__", again)
            os.close(copy)


@contextlib.contextmanager
def settings_restored() -> Iterator[None]:
    """Set back what a user's code may set for the process, and a training relies on."""
    dtype = torch.get_default_dtype()
    handlers = {number: signal.getsignal(number) for number in _SIGNALS}
    try:
        with contextlib.chdir(Path.cwd()), torch.enable_grad(), _streams_restored():
            yield
    finally:
        torch.set_default_dtype(dtype)
        if threading.current_thread() is threading.main_thread():
            for number, handler in handlers.items():
                if handler is not None:  # as it is of one that C has set
                    signal.signal(number, handler)
        if torch.get_default_device().type != "cpu":
            torch.set_default_device(None)
