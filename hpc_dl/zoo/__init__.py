"""The architectures: one file each; the folder is the registry."""

from __future__ import annotations

import inspect
from importlib import import_module
from pathlib import Path

from hpc_dl import tasks
from hpc_dl.jobspec.data import DataFacts
from hpc_dl.jobspec.model import Model, OwnModel
from hpc_dl.user_code import load_object
from hpc_dl.zoo.contract import Architecture, Task


def build(options: Model, facts: DataFacts, code: Path, task: Task | None = None) -> Architecture:
    """The architecture that `options` describe, for data of which `facts` are known.

    `objective` is that of the data's task, where it is not to be the plain one. A user's own
    architecture is imported from `code`, the snapshot of their files in the run folder.
    Raises UserError where that file or the class in it cannot be had.
    """
    kind = (
        load_object(options.name, code, Architecture)
        if isinstance(options, OwnModel)
        else _architecture(options.name.partition(":")[0])
    )
    return kind(options, facts, task or tasks.build(facts))


def _architecture(name: str) -> type[Architecture]:
    """The one class of architectures in a file of this folder."""
    module = import_module(f"{__name__}.architectures.{name}")
    (found,) = (
        it
        for _, it in inspect.getmembers(module, inspect.isclass)
        if issubclass(it, Architecture) and it.__module__ == module.__name__
    )
    return found
