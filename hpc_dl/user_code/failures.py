"""Failures of a user's code, reported with their place and what to do."""

from __future__ import annotations

import bdb
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
_PACKAGES = """A relative import reaches as far up as there are packages: put an empty __init__.py
into each folder, or name the module's folder in the spec, `code: [FOLDER]`, and `import` it."""
_DEVICE = """It is tried on the CPU, and trained where hpcdl has moved network and inputs. Leave out
.cuda(), and make tensors where the inputs of forward are: torch.zeros(3, device=x.device)."""
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
    theirs = frames(error)
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
        hint = _NAMESAKE if error.name in installed.RESERVED else _import_hint(str(error))
    elif isinstance(error, FileNotFoundError):
        hint = _NO_FILE
    elif isinstance(error, EOFError | bdb.BdbQuit):
        hint = "A job has no keyboard: leave out input() and breakpoint()."
    elif "CUDA" in str(error):
        hint = _DEVICE
    elif isinstance(error, MemoryError):
        text = f"it does not fit into memory: {error}".removesuffix(": ")
    text = re.sub(rf"{PREFIX}\d+\.", "", text)
    return UserError((where or f"{names}: ") + text, hint=hint)


def frames(error: BaseException) -> list[traceback.FrameSummary]:
    """Return the frames of an error that are in a user's code, the innermost last."""
    found = traceback.extract_tb(error.__traceback__)
    return [it for it in found if it.filename[0] == "/" and installed.is_users(Path(it.filename))]


def _import_hint(message: str) -> str:
    if "circular" in message:
        return "Two modules import each other: import one of them within the functions that use it."
    return _PACKAGES if "relative import" in message else _MISSING


def ending(code: int) -> str:
    """Describe how a process ended that gave no answer: by an exit code, or a signal (-N)."""
    if code >= 0:
        return f"exit code {code}"
    return f"signal {-code}" + (f", {_MEMORY}" if code == -_KILLED else "")
