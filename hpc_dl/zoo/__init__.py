"""Architectures: one file each, of the name of the file of its options."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from torch import nn

from hpc_dl import tasks
from hpc_dl.errors import UserError
from hpc_dl.jobspec import registry, user_options
from hpc_dl.jobspec.facts import DataFacts
from hpc_dl.jobspec.model import Model, UserModel
from hpc_dl.user_code import load_object
from hpc_dl.zoo.contract import Architecture, Task
from hpc_dl.zoo.modules import GraphModule, PlainModule


def build(options: Model, facts: DataFacts, code: Path, task: Task | None = None) -> Architecture:
    """Return the architecture with these options, for data with these facts.

    `task` is the data's; with the default options if it is not given. A user's own architecture or
    module is imported from `code`, the snapshot of their files in the run folder. Raises UserError
    where that file or the class in it cannot be had.
    """
    task = task or tasks.build(facts)
    if not isinstance(options, UserModel):
        return _architecture(type(options))(options, facts, task)
    kind = load_class(options.name, code)
    if issubclass(kind, Architecture):
        return kind(user_options.typed(kind, options), facts, task)
    plain = GraphModule if facts.modality == "graph" else PlainModule
    return plain(kind, options, facts, task)


def load_class(reference: str, code: Path) -> type[Any]:
    """Import a user's class, an `Architecture` or an `nn.Module`. Raises UserError for any other
    thing."""
    found = load_object(reference, code)
    if not (isinstance(found, type) and issubclass(found, Architecture | nn.Module)):
        name = reference.rpartition(":")[2]
        raise UserError(
            f"{reference} is no class of networks, but {_kind(found)}",
            hint=f"Write `class {name}(nn.Module)`, or derive it from {Architecture.__module__}."
            f"{Architecture.__name__}.",
        )
    return found


def _kind(found: Any) -> str:
    return f"the class {found.__name__}" if isinstance(found, type) else f"a {type(found).__name__}"


def _architecture(options: type[Model]) -> type[Architecture]:
    """Return the one subclass of `Architecture` in the module that belongs to the options."""
    shipped = f"{__name__}.architectures.{options.__module__.rpartition('.')[2]}"
    return registry.subclass_in(options.network_module or shipped, Architecture)
