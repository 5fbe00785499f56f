"""Architectures: one file each, of the name of the file of its options."""

from __future__ import annotations

from pathlib import Path

from hpc_dl import tasks
from hpc_dl.jobspec import registry, user_options
from hpc_dl.jobspec.data import DataFacts
from hpc_dl.jobspec.model import Model, UserModel
from hpc_dl.user_code import load_object
from hpc_dl.zoo.contract import Architecture, Task


def build(options: Model, facts: DataFacts, code: Path, task: Task | None = None) -> Architecture:
    """Return the architecture with these options, for data with these facts.

    `task` is the data's; with the default options if it is not given. A user's own architecture is
    imported from `code`, the snapshot of their files in the run folder. Raises UserError where
    that file or the class in it cannot be had.
    """
    if isinstance(options, UserModel):
        kind = load_object(options.name, code, Architecture)
        options = user_options.typed(kind, options)
    else:
        kind = _architecture(type(options))
    return kind(options, facts, task or tasks.build(facts))


def _architecture(options: type[Model]) -> type[Architecture]:
    """Return the one subclass of `Architecture` in the module that belongs to the options."""
    shipped = f"{__name__}.architectures.{options.__module__.rpartition('.')[2]}"
    return registry.subclass_in(options.network_module or shipped, Architecture)
