"""The one exception that a user may see: what is wrong, what to do, and the exit code."""

from __future__ import annotations

import contextlib
import os
import shutil
from collections.abc import Iterable, Iterator, Sequence

EXIT_FAILED = 1
"""The run failed."""
EXIT_USAGE = 2
"""The command line, the job spec or the data it names are at fault."""
EXIT_CLUSTER = 3
"""The cluster cannot be reached, or refused."""


class UserError(Exception):
    """An error that the user can mend; the command line prints it without a traceback.

    `message` says what is wrong and where; `hint` says what to do about it. Where the message lists
    several faults, `parts` are these, each with its place.
    """

    def __init__(
        self,
        message: str,
        *,
        hint: str = "",
        exit_code: int = EXIT_USAGE,
        parts: Sequence[str] = (),
    ) -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint
        self.exit_code = exit_code
        self.parts = parts

    def __str__(self) -> str:
        return f"{self.message}\n{self.hint}" if self.hint else self.message


def first_few(names: Iterable[object], most: int = 5) -> str:
    """Return the first names for a message, and how many more there are: `a, b and 3 more`."""
    every = [printable(str(name)) for name in names]
    more = f" and {len(every) - most} more" if len(every) > most else ""
    return ", ".join(every[:most]) + more


def printable(text: str) -> str:
    """Return text on one line, with escapes for what cannot be printed: line breaks, control
    characters, bytes that are not UTF-8."""
    return "".join(it if it.isprintable() else ascii(it)[1:-1] for it in text)


def reason(error: OSError) -> str:
    """Return what the operating system refused, with the file where it is known; never empty."""
    if isinstance(error, shutil.Error) and error.args and isinstance(error.args[0], list):
        _, to, why = error.args[0][0]  # of several files that were to be copied, the first
        return f"{why}" if str(to) in str(why) else f"{why}: {to}"
    said = error.strerror or (os.strerror(error.errno) if error.errno else str(error))
    said = " ".join(said.split()) or type(error).__name__
    names = [os.fsdecode(it) for it in (error.filename, error.filename2) if it not in (None, "")]
    return f"{said}: {' -> '.join(names)}" if names else said


@contextlib.contextmanager
def naming(path: object) -> Iterator[None]:
    """Have an error of the operating system name a file, where it names none: what fails in the
    writing, rather than in the opening, does not."""
    try:
        yield
    except OSError as error:
        if error.errno is not None and error.filename is None:
            error.filename = str(path)
        raise
