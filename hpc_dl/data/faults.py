"""Faults of a user's files: errors of the libraries that read them, and several faults at once.

Light: the login node looks into files as well.
"""

from __future__ import annotations

import contextlib
import re
from collections.abc import Iterable, Iterator
from pathlib import Path

from hpc_dl import errors
from hpc_dl.errors import UserError, first_few

PLACES = 3
"""How many places of one fault a message names."""
KINDS = 12
"""How many faults a message names."""


@contextlib.contextmanager
def reading(key: str, file: Path | str, form: str) -> Iterator[None]:
    """Raise any error of a library that reads `file` as a UserError: no readable `form`.

    `key` is the option that names the file, like `data.path`. Only calls of the library belong
    into the block: an error of hpcdl's own would be reported as one of the file.
    """
    try:
        yield
    except UserError:
        raise
    except FileNotFoundError as error:
        raise UserError(f"{key}: there is no file {error.filename or file}") from error
    except MemoryError as error:
        raise UserError(f"{key}: {file} does not fit into memory: {_describe(error)}") from error
    except Exception as error:
        raise UserError(f"{key}: {file} is no readable {form}: {_describe(error)}") from error


def resolve_home(key: str, path: Path | str) -> Path:
    """Return a path as a user gives it, with the home folder for `~`.

    Raises UserError for `~NOBODY`, an address, and an empty path.
    """
    if not str(path).strip():
        raise UserError(f"{key}: the path is empty")
    if re.match(r"[A-Za-z][\w+.-]+://", str(path)):
        raise UserError(
            f"{key}: {path} is an address, not a path",
            hint="Fetch it into a folder that the jobs can read, and name that.",
        )
    with reading(key, path, "path"):
        return Path(path).expanduser()


def regular_file(key: str, path: Path | str) -> Path:
    """Return the path of a file that can be read, with `~` resolved.

    Raises UserError for one that is not there, and for what is no file: a folder, or a pipe, of
    which a reader would wait for ever.
    """
    found = resolve_home(key, path)
    with reading(key, path, "file"):
        is_file, is_folder = found.is_file(), found.is_dir()
    if is_file:
        return found
    if is_folder:
        raise UserError(f"{key}: {found} is a folder, not a file")
    if found.is_symlink() and not found.exists():
        raise UserError(f"{key}: {found} is a link to {found.readlink()}, which is not there")
    if found.exists():
        raise UserError(f"{key}: {found} is no regular file, but a pipe, socket or device")
    raise UserError(f"{key}: there is no file {found}")


class Faults:
    """Faults of one file or folder, collected so that all are reported at once, with counts."""

    def __init__(self, where: str) -> None:
        """`where` names the option and the file, like `data.path: people.csv`."""
        self._where = where
        self._found: dict[str, list[object]] = {}
        self._hints: dict[str, None] = {}

    def add(self, what: str, places: Iterable[object], hint: str = "") -> None:
        """Add a fault, with every place that has it; nothing where there is no place."""
        if every := list(places):
            self._found.setdefault(what, []).extend(every)
            self._hints |= {hint: None} if hint else {}

    @contextlib.contextmanager
    def collect(self) -> Iterator[None]:
        """Add the UserError that the block raises, each of its faults, and go on after it."""
        try:
            yield
        except UserError as error:
            for fault in error.parts or [error.message]:
                self._found.setdefault(fault, [])
            self._hints |= dict.fromkeys(filter(None, error.hint.split("\n")))

    def refuse(self) -> None:
        """Raise UserError with all faults, if there are any."""
        if not self._found:
            return
        lines = {
            f"{what}: {first_few(at, PLACES)}" if at else what: bool(at)
            for what, at in self._found.items()
        }
        each = [f"{self._where}: {it}" if own else it for it, own in lines.items()]
        hint = "\n".join(self._hints)
        if len(each) == 1:
            raise UserError(each[0], hint=hint)
        more = [f"and {len(each) - KINDS} more"] if len(each) > KINDS else []
        shown = "\n  ".join([f"{len(each)} faults", *list(lines)[:KINDS], *more])
        raise UserError(f"{self._where}: {shown}", hint=hint, parts=each)


def _describe(error: BaseException) -> str:
    """Describe an error in one line; by its type where it says nothing."""
    said = errors.reason(error) if isinstance(error, OSError) else str(error)
    if isinstance(error, EOFError) and not said:
        said = "it ends too early, as if cut off"
    return " ".join(said.split()) or type(error).__name__
