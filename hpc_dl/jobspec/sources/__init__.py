"""The options of every source of data: one file a source or family; the folder is the registry.

Installed packages add theirs by entry points of the group `hpc_dl.sources`, each of which names a
class of options.
"""

from __future__ import annotations

import inspect
import pkgutil
from collections.abc import Iterator
from importlib import import_module
from typing import TYPE_CHECKING, Annotated, Union

from pydantic import Discriminator, Tag

from hpc_dl import installed
from hpc_dl.jobspec import fields
from hpc_dl.jobspec.base import tag_by_name
from hpc_dl.jobspec.data import Data, LibraryData
from hpc_dl.jobspec.sources.user import OwnData

GROUP = "hpc_dl.sources"


def _shipped() -> Iterator[type[Data]]:
    """The classes of options in the files of this folder, and what they are derived from."""
    for file in pkgutil.iter_modules(__path__):
        module = import_module(f"{__name__}.{file.name}")
        for _, found in inspect.getmembers(module, inspect.isclass):
            if issubclass(found, Data) and found.__module__ == module.__name__:
                yield found


def _names(options: type[Data]) -> tuple[str, ...]:
    """The names that choose a source, or the library whose data sets it has; none for a base."""
    library = options.library if issubclass(options, LibraryData) else ""
    return fields.names_of(options) or ((library,) if library else ())


def _by_name() -> dict[str, type[Data]]:
    """The options of all sources; where two have the same name, hpcdl's own are taken."""
    every = [*installed.plugins(GROUP, Data), *_shipped()]
    named = {name: options for options in every for name in _names(options)}
    return {name: named[name] for name in sorted(named)}


SOURCES: dict[str, type[Data]] = _by_name()
"""Name, or the library that has many, → options."""


if TYPE_CHECKING:
    DataSpec = Data
else:
    DataSpec = Annotated[
        Union[  # noqa: UP007  made of a table
            tuple(Annotated[it, Tag(name)] for name, it in {**SOURCES, "own": OwnData}.items())
        ],
        Discriminator(tag_by_name),
    ]
