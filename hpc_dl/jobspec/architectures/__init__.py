"""The options of every architecture of the zoo: one file each; the folder is the registry."""

from __future__ import annotations

import inspect
import pkgutil
from importlib import import_module
from typing import TYPE_CHECKING, Annotated, Union

from pydantic import Discriminator, Tag

from hpc_dl.jobspec.base import tag_by_name
from hpc_dl.jobspec.model import Model, OwnModel


def _options(name: str) -> type[Model]:
    """The one class of options in a file of this folder."""
    module = import_module(f"{__name__}.{name}")
    (found,) = (
        it
        for _, it in inspect.getmembers(module, inspect.isclass)
        if issubclass(it, Model) and it.__module__ == module.__name__
    )
    return found


ZOO: dict[str, type[Model]] = {
    module.name: _options(module.name) for module in pkgutil.iter_modules(__path__)
}
"""Name → options."""


if TYPE_CHECKING:
    ModelSpec = Model
else:
    ModelSpec = Annotated[
        Union[  # noqa: UP007  made of a table
            tuple(Annotated[it, Tag(name)] for name, it in {**ZOO, "own": OwnModel}.items())
        ],
        Discriminator(tag_by_name),
    ]
