"""Search of folders for files: links are followed, each folder is read once. Light."""

from __future__ import annotations

import os
import stat
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path, PurePath

from hpc_dl.errors import UserError, printable, reason

NOT_USERS = ("@eadir", "thumbs.db", "desktop.ini", "lost+found")
"""Names, in any case, that operating systems and disks leave in folders; those that begin with a
dot are left out as well."""

_Identity = tuple[int, int]


@dataclass
class Listing:
    """Folders and files directly in a folder, sorted; hidden names are left out."""

    folders: list[str] = field(default_factory=list)
    files: list[str] = field(default_factory=list)
    special: set[str] = field(default_factory=set)
    """Those of `files` that are no regular ones, such as named pipes and links to nowhere."""


@dataclass
class Walk:
    """Files in a folder and those below."""

    files: list[str] = field(default_factory=list)
    """Paths of those with one of the suffixes."""
    special: list[str] = field(default_factory=list)
    """Those of `files` that are no regular ones."""
    others: Counter[str] = field(default_factory=Counter)
    """Number of files by any other suffix."""
    repeated: list[str] = field(default_factory=list)
    """Folders that were not read, as they lead back to one that was."""
    folders: dict[_Identity, str] = field(default_factory=dict)
    """Folders that were read, by device and inode."""


def list_folder(folder: Path | str, key: str = "data.root") -> Listing:
    """List a folder, which is an option's or below. Raises UserError where it cannot be read."""
    found, links = Listing(), []
    try:
        with os.scandir(folder) as entries:
            for entry in sorted(entries, key=lambda it: it.name):
                if entry.name.startswith(".") or entry.name.lower() in NOT_USERS:
                    continue
                if not _is(entry.is_dir):
                    found.files.append(entry.name)
                    if not _is(entry.is_file):
                        found.special.add(entry.name)
                elif entry.is_symlink():
                    links.append(entry.name)
                else:
                    found.folders.append(entry.name)
    except OSError as error:
        raise UserError(
            f"{key}: {error.filename or folder} cannot be read: {error.strerror or error}",
            hint="Change its permissions, or take it out of the folder.",
        ) from None
    found.folders += links  # after the folders that they may lead to
    return found


def walk(folder: Path, suffixes: tuple[str, ...], key: str = "data.root") -> Walk:
    """Search a folder and all below, links followed, each folder once.

    Raises UserError for one that cannot be read.
    """
    found = Walk()
    left = [str(folder)]
    while left:
        place = left.pop()
        if (identity := _identity(place, key)) in found.folders:
            found.repeated.append(place)
            continue
        found.folders[identity] = place
        here = list_folder(place, key)
        left += [f"{place}/{name}" for name in reversed(here.folders)]
        for name in here.files:
            if name.lower().endswith(suffixes):
                found.files.append(f"{place}/{name}")
                found.special += [found.files[-1]] if name in here.special else []
            else:
                found.others[suffix(name)] += 1
    found.files.sort()
    return found


def suffix(name: str) -> str:
    """Return the suffix of a file's name, in lower case."""
    return PurePath(name).suffix.lower() or "without suffix"


def is_text(name: str) -> bool:
    """Return whether a name is in UTF-8: other bytes are surrogates, which nothing can write."""
    try:
        return bool(name.encode())
    except UnicodeEncodeError:
        return False


def special(path: Path | str) -> str:
    """Return what a path is, if not a regular file; empty if it is one."""
    try:
        mode = Path(path).stat().st_mode
    except FileNotFoundError:
        return "a link to nowhere" if Path(path).is_symlink() else "no longer there"
    except OSError as error:
        return reason(error).partition(": ")[0]
    kinds = {
        stat.S_ISFIFO: "a named pipe, not a file",
        stat.S_ISSOCK: "a socket, not a file",
        stat.S_ISDIR: "a folder, not a file",
    }
    found = next((name for is_kind, name in kinds.items() if is_kind(mode)), "")
    return found or ("" if stat.S_ISREG(mode) else "a device, not a file")


def shown(name: str | Path, root: Path) -> str:
    """Return a file's name below the root, printable."""
    path = Path(name)
    return printable(str(path.relative_to(root) if path.is_relative_to(root) else path))


def _is(question: Callable[[], bool]) -> bool:
    """Return the answer; False for a link that cannot be followed."""
    try:
        return question()
    except OSError:
        return False


def _identity(folder: str, key: str) -> _Identity:
    try:
        state = os.stat(folder)  # noqa: PTH116  paths are made of text here, for speed
    except OSError as error:
        raise UserError(f"{key}: {folder} cannot be read: {error.strerror}") from None
    return state.st_dev, state.st_ino
