"""Trial of a user's code in a fork, with a time limit; its failures are described for the user."""

from __future__ import annotations

import dataclasses
import json
import os
import select
import signal
import sys
import time
from collections.abc import Callable
from pathlib import Path
from types import FrameType
from typing import Any

from hpc_dl.errors import UserError
from hpc_dl.planning.compatibility import SpecConflict
from hpc_dl.user_code import failures

GRACE = 10.0
"""Seconds after its time limit until a process that does not end is killed."""


class _TooLong(failures.Stopped):
    """The time is over."""


class ReadsOriginal(failures.Stopped):
    """The user's code names a file by a path that does not lead to the copy."""


def run(
    work: Callable[[], dict[str, Any]],
    names: str,
    seconds: float,
    original: Callable[[Path], Path],
) -> dict[str, Any]:
    """Return the result of `work` in a fork of this process, or the description of its failure."""
    ours, theirs = os.pipe()
    child = os.fork()
    if not child:
        os.close(ours)
        line = json.dumps(_outcome(work, names, seconds, original)) + "\n"
        with os.fdopen(theirs, "w") as pipe:
            pipe.write(line)
        os._exit(0)
    os.close(theirs)
    answer, end = b"", time.monotonic() + seconds + GRACE
    while not answer.endswith(b"\n") and select.select([ours], [], [], end - time.monotonic())[0]:
        if not (part := os.read(ours, 2**16)):
            break
        answer += part
    os.close(ours)
    late = time.monotonic() >= end
    os.kill(child, signal.SIGKILL)
    _, status = os.waitpid(child, 0)
    if answer.endswith(b"\n"):
        result: dict[str, Any] = json.loads(answer)
        return result
    ending = failures.ending(os.waitstatus_to_exitcode(status))
    how = f"did not end within {seconds:.0f} s" if late else f"ended its process ({ending})"
    return {"message": f"{names} {how} when it was imported or called", "hint": _WHY}


def _outcome(
    work: Callable[[], dict[str, Any]],
    names: str,
    seconds: float,
    original: Callable[[Path], Path],
) -> dict[str, Any]:
    os.dup2(2, 1)  # what the user's code prints
    sys.argv[1:] = ["a-job-has-other-arguments"]

    def stop(number: int, frame: FrameType | None) -> None:
        raise _TooLong(f"it took more than {seconds:.0f} s")

    signal.signal(signal.SIGALRM, stop)
    signal.setitimer(signal.ITIMER_REAL, seconds)
    try:
        return work()
    except SpecConflict as error:
        faults = [dataclasses.asdict(fault) for fault in error.faults]
        return {"message": error.message, "hint": error.hint, "faults": faults}
    except UserError as error:
        return {"message": error.message, "hint": error.hint}
    except BaseException as error:
        hint = _RELATIVE if isinstance(error, ReadsOriginal) else _WHY
        told = failures.describe(error, names, hint, original)
        return {"message": told.message, "hint": told.hint}
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)


_WHY = "It is imported at submission, so that it does not fail after having waited in a queue."
_RELATIVE = "Name it relative to the code: Path(__file__).parent / ..."
