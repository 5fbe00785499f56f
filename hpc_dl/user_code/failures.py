"""Failures of a user's code, reported with their place and what to do."""

from __future__ import annotations

import re
import traceback
from collections.abc import Callable
from pathlib import Path

from hpc_dl import installed
from hpc_dl.errors import UserError
from hpc_dl.user_code.namespace import PREFIX

_MISSING = """If it is a module of yours, name its folder in the spec: `code: [FOLDER]`."""
_NAMESAKE = """That is an installed module. To import a file of yours that is called like it, write
`from . import NAME`, or rename it."""
_NO_FILE = """A job has a copy of your code, and another working directory. Read what lies
beside the code by Path(__file__).parent, and name it in the spec: `code: [FILE, FOLDER]`.
Of data, give the absolute path."""
_KILLED = 9
_MEMORY = "as a system does where memory runs out"


class Stopped(BaseException):
    """Raised by hpcdl in a user's code, to end it. No Exception, so that no `except Exception` of
    the user's catches it."""


def describe(
    error: BaseException,
    names: str,
    hint: str = "",
    original: Callable[[Path], Path] = lambda path: path,
) -> UserError:
    """Return the error to show for one in the user's code, which is called `names`.

    `original` finds the file of which a file of the code is a copy.
    """
    frames = traceback.extract_tb(error.__traceback__)
    theirs = [
        it for it in frames if installed.is_users(Path(it.filename)) and it.filename[0] == "/"
    ]
    where = f"{original(Path(theirs[-1].filename))}:{theirs[-1].lineno}: " if theirs else ""
    text = f"{type(error).__name__}: {error}"
    if isinstance(error, Stopped):
        text = str(error)
    elif isinstance(error, SyntaxError) and error.filename:
        where, text = f"{original(Path(error.filename))}:{error.lineno}: ", str(error.msg)
    elif isinstance(error, SystemExit):
        text = f"it ends the program: SystemExit({error.code!r})"
        hint = (
            "Put what is no definition under `if __name__ == '__main__':`; raise an error for what "
            "is wrong."
        )
    elif isinstance(error, ImportError):
        hint = _NAMESAKE if error.name in installed.RESERVED else _MISSING
    elif isinstance(error, FileNotFoundError):
        hint = _NO_FILE
    elif isinstance(error, MemoryError):
        text = f"it does not fit into memory: {error}".removesuffix(": ")
    text = re.sub(rf"{PREFIX}\d+\.", "", text)
    return UserError((where or f"{names}: ") + text, hint=hint)


def ending(code: int) -> str:
    """Describe how a process ended that gave no answer: by an exit code, or a signal (-N)."""
    if code >= 0:
        return f"exit code {code}"
    return f"signal {-code}" + (f", {_MEMORY}" if code == -_KILLED else "")
