"""Registries: classes of options and of what is built from them, one file each in a folder, and
others that installed packages add."""

from __future__ import annotations

import functools
import sys
from collections.abc import Iterator, Mapping
from importlib import import_module
from pathlib import Path
from typing import TypeVar

from hpc_dl import installed
from hpc_dl.jobspec import fields
from hpc_dl.jobspec.base import Spec

Class = TypeVar("Class")
Options = TypeVar("Options", bound=Spec)


class Registry(Mapping[str, type[Options]]):
    """The options in the files of a folder, a package's name, and of a group's entry points, by
    the names that choose them.

    A file is imported once one of its names is asked for, and all of them once the names are
    listed: to define options takes milliseconds, and a spec names few. A package cannot take a
    shipped name.
    """

    def __init__(self, folder: str, group: str, base: type[Options]) -> None:
        self._folder, self._base = folder, base
        self._added = dict(self._of_packages(group))

    def __getitem__(self, name: str) -> type[Options]:
        if found := self._shipped(name):
            return found
        return self._added[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._listed)

    def __len__(self) -> int:
        return len(self._listed)

    @functools.cached_property
    def _listed(self) -> list[str]:
        shipped = [
            name
            for file in self._files
            for options in _subclasses(f"{self._folder}.{file}", self._base)
            for name in _names(options)
        ]
        return sorted([*shipped, *self._added])

    @functools.cached_property
    def _files(self) -> dict[str, str]:
        """Name and content of each file."""
        folder = Path(sys.modules[self._folder].__path__[0])
        return {
            it.stem: it.read_text("utf-8") for it in folder.glob("*.py") if it.stem != "__init__"
        }

    def _shipped(self, name: str) -> type[Options] | None:
        """Return the shipped options of a name, which stands as a word in quotes in their file."""
        for file, content in self._files.items():
            if f'"{name}"' in content:
                for options in _subclasses(f"{self._folder}.{file}", self._base):
                    if name in _names(options):
                        return options
        return None

    def _of_packages(self, group: str) -> Iterator[tuple[str, type[Options]]]:
        found: set[str] = set()
        for options in installed.plugins(group, self._base):
            if not (names := _names(options)):
                _warn(group, options, "needs a `name: Literal[...]`")
            for name in names:
                if name in found or self._shipped(name):
                    _warn(group, options, f"is left out: there is a '{name}' already")
                else:
                    found.add(name)
                    yield name, options


def subclass_in(module: str, base: type[Class]) -> type[Class]:
    """Return the one subclass of `base` that is defined in a module."""
    (found,) = _subclasses(module, base)
    return found


def _subclasses(module: str, base: type[Class]) -> Iterator[type[Class]]:
    for found in vars(import_module(module)).values():
        if isinstance(found, type) and issubclass(found, base) and found.__module__ == module:
            yield found


def _names(options: type[Spec]) -> tuple[str, ...]:
    """Return the names that choose options, or the library whose members have them; () for none,
    as of a class that others are derived from."""
    library = getattr(options, "library", "")
    return fields.names_of(options) or ((library,) if library else ())


def _warn(group: str, options: type[Spec], what: str) -> None:
    sys.stderr.write(f"warning: {group}: {options.__module__}:{options.__name__} {what}\n")
