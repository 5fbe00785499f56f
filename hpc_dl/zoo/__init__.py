"""The architectures: one file each; the folder is the registry."""

from __future__ import annotations

import inspect
from importlib import import_module
from pathlib import Path

from hpc_dl.imports import load_object
from hpc_dl.spec.data import DataFacts
from hpc_dl.spec.models import Model, OwnModel
from hpc_dl.zoo.contract import Architecture


def build(options: Model, facts: DataFacts, code: Path) -> Architecture:
    """The architecture that `options` describe, for data of which `facts` are known.

    A user's own is imported from `code`, the snapshot of their files in the run folder.
    Raises UserError where that file or the class in it cannot be had.
    """
    if isinstance(options, OwnModel):
        return load_object(options.name, code, Architecture)(options, facts)
    name: str = options.name  # type: ignore[attr-defined]
    module = import_module(f"hpc_dl.zoo.{name}")
    (kind,) = (
        item
        for _, item in inspect.getmembers(module, inspect.isclass)
        if issubclass(item, Architecture) and item.__module__ == module.__name__
    )
    return kind(options, facts)
