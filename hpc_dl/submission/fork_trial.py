"""Trial of a user's code in a fork, with a time limit; its failures are described for the user."""

from __future__ import annotations

import dataclasses
import json
import os
import re
import select
import signal
import sys
import time
import traceback
from collections.abc import Callable
from pathlib import Path
from types import FrameType
from typing import Any

from hpc_dl import installed, user_code
from hpc_dl.errors import UserError
from hpc_dl.planning.compatibility import SpecConflict

GRACE = 10.0
"""Seconds after its time limit until a process that does not end is killed."""


class _TooLong(BaseException):
    """The time is over. No Exception, so that no `except Exception` of the user's catches it."""


class ReadsOriginal(BaseException):
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
    how = (
        f"did not end within {seconds:.0f} s" if late else f"ended its process ({_ending(status)})"
    )
    return {"message": f"{names} {how} when it was imported", "hint": _WHY}


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
        return _described(error, names, original)
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)


_WHY = "It is imported at submission, so that it does not fail after having waited in a queue."
_MISSING = """If it is a module of yours, name its folder in the spec: `code: [FOLDER]`."""
_NAMESAKE = """That is an installed module. To import a file of yours that is called like it, write
`from . import NAME`, or rename it."""
_NO_FILE = """A job has a copy of your code, and another working directory. Read what lies
beside the code by Path(__file__).parent, and name it in the spec: `code: [FILE, FOLDER]`.
Of data, give the absolute path."""


def _described(
    error: BaseException, names: str, original: Callable[[Path], Path]
) -> dict[str, str]:
    """Describe an error in the user's code, `names`: where, what, and what to do."""
    frames = traceback.extract_tb(error.__traceback__)
    theirs = [
        it for it in frames if installed.is_users(Path(it.filename)) and it.filename[0] == "/"
    ]
    where = f"{original(Path(theirs[-1].filename))}:{theirs[-1].lineno}: " if theirs else ""
    text, hint = f"{type(error).__name__}: {error}", _WHY
    if isinstance(error, SyntaxError) and error.filename:
        where, text = f"{original(Path(error.filename))}:{error.lineno}: ", str(error.msg)
    elif isinstance(error, SystemExit):
        text = f"it ends the program when it is imported: SystemExit({error.code!r})"
        hint = "Put what is no definition under `if __name__ == '__main__':`."
    elif isinstance(error, _TooLong):
        text = str(error)
    elif isinstance(error, ReadsOriginal):
        text, hint = str(error), "Name it relative to the code: Path(__file__).parent / ..."
    elif isinstance(error, ImportError):
        hint = _NAMESAKE if error.name in installed.RESERVED else _MISSING
    elif isinstance(error, FileNotFoundError):
        hint = _NO_FILE
    text = re.sub(rf"{user_code.PREFIX}\d+\.", "", text)
    return {"message": (where or f"{names}: ") + text, "hint": hint}


def _ending(status: int) -> str:
    code = os.waitstatus_to_exitcode(status)
    return f"signal {-code}" if code < 0 else f"exit code {code}"
