"""Registries: classes of options and of what is built from them, one file each in a folder, and
others that installed packages add."""

from __future__ import annotations

import inspect
import pkgutil
import sys
from collections.abc import Iterator, Mapping
from importlib import import_module
from typing import Annotated, Any, TypeVar, Union

from pydantic import Discriminator, Tag

from hpc_dl import installed
from hpc_dl.jobspec import fields
from hpc_dl.jobspec.base import Spec, tag_by_name

Class = TypeVar("Class")
Options = TypeVar("Options", bound=Spec)


def options_by_name(folder: str, group: str, base: type[Options]) -> dict[str, type[Options]]:
    """Return the options in the files of a folder, a package's name, and of a group's entry points.

    The keys are the names that choose them; a package cannot take a shipped name.
    """
    found = {name: options for options in _shipped(folder, base) for name in _names(options)}
    for options in installed.plugins(group, base):
        if not (names := _names(options)):
            _warn(group, options, "needs a `name: Literal[...]`")
        for name in names:
            if name in found:
                _warn(group, options, f"is left out: there is a '{name}' already")
            else:
                found[name] = options
    return {name: found[name] for name in sorted(found)}


def union(options: Mapping[str, type[Spec]]) -> Any:
    """Return the type of options of which `name` chooses one."""
    members = tuple(Annotated[it, Tag(name)] for name, it in options.items())
    return Annotated[Union[members], Discriminator(tag_by_name)]  # noqa: UP007  made of a table


def subclass_in(module: str, base: type[Class]) -> type[Class]:
    """Return the one subclass of `base` that is defined in a module."""
    (found,) = _subclasses(module, base)
    return found


def _shipped(folder: str, base: type[Options]) -> Iterator[type[Options]]:
    for file in pkgutil.iter_modules(import_module(folder).__path__):
        yield from _subclasses(f"{folder}.{file.name}", base)


def _subclasses(module: str, base: type[Class]) -> Iterator[type[Class]]:
    for _, found in inspect.getmembers(import_module(module), inspect.isclass):
        if issubclass(found, base) and found.__module__ == module:
            yield found


def _names(options: type[Spec]) -> tuple[str, ...]:
    """Return the names that choose options, or the library whose members have them; () for none,
    as of a class that others are derived from."""
    library = getattr(options, "library", "")
    return fields.names_of(options) or ((library,) if library else ())


def _warn(group: str, options: type[Spec], what: str) -> None:
    sys.stderr.write(f"warning: {group}: {options.__module__}:{options.__name__} {what}\n")
