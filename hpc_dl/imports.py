"""The user's own code, named as `my_code.py:MyNet`: imported from its snapshot in a run folder."""

from __future__ import annotations

import importlib
import importlib.util
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

from hpc_dl.errors import UserError


def load_object(reference: str, folder: Path, kind: type | None = None) -> Any:
    """The object `NAME` of `file.py:NAME` in `folder`, or of `package.module:NAME`.

    With `kind`, it has to be a subclass of it. Errors inside the user's code come through as they
    are; UserError is raised for a file or a name that is not there.
    """
    place, _, name = reference.rpartition(":")
    module = _from_file(folder / place) if place.endswith(".py") else _from_package(place)
    try:
        found = getattr(module, name)
    except AttributeError:
        public = ", ".join(item for item in vars(module) if not item.startswith("_"))
        raise UserError(f"{place} defines no '{name}'", hint=f"It has: {public}.") from None
    if kind is not None and not (isinstance(found, type) and issubclass(found, kind)):
        raise UserError(
            f"{reference} is not a subclass of {kind.__name__}",
            hint=f"Write `class {name}({kind.__name__})`, from {kind.__module__}.",
        )
    return found


def _from_file(path: Path) -> ModuleType:
    path = path.resolve()
    if not path.is_file():
        raise UserError(f"there is no file {path}", hint="The name is FILE.py:NAME.")
    if str(path.parent) not in sys.path:
        sys.path.insert(0, str(path.parent))  # so that the file finds its neighbours
    spec = importlib.util.spec_from_file_location(path.stem, path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[path.stem] = module
    spec.loader.exec_module(module)
    return module


def _from_package(name: str) -> ModuleType:
    try:
        return importlib.import_module(name)
    except ModuleNotFoundError as error:
        if error.name and name.startswith(error.name):
            raise UserError(f"there is no module '{name}'", hint=f"pip install {name}?") from None
        raise
